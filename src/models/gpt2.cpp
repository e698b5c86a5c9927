// GPT-2: learned positions, layer norms before each sublayer, fused query, key and value, weights
// stored as [in, out]. Legend: T tokens, D hidden size; read: number of rows that a head reads.
#include "models/decoder.h"
#include "models/linears.h"
#include "models/stochastic.h"

namespace mixtune {
namespace {

// The three members are one module in files; target_modules may name a role, or c_attn for all.
LinearGroup fused_attention(const ModelConfig& c, const std::string& layer, int64_t number,
                            const at::TensorOptions& options) {
  const int64_t d = c.hidden_size;
  const std::string path = layer + "attn.c_attn";
  LinearGroup out({{Role::query, path + ".query", 0, d},
                   {Role::key, path + ".key", d, 2 * d},
                   {Role::value, path + ".value", 2 * d, 3 * d}},
                  d, number, options);
  out.fused = path;
  return out;
}

class Gpt2Layer final : public Layer {
 public:
  Gpt2Layer(const ModelConfig& c, const std::string& layer, int64_t number,
            const at::TensorOptions& options)
      : attention_norm(layer + "ln_1", c.hidden_size, c.layer_norm_epsilon, options),
        feed_forward_norm(layer + "ln_2", c.hidden_size, c.layer_norm_epsilon, options),
        attention(fused_attention(c, layer, number, options)),
        attention_output(single(Role::attention_output, layer + "attn.c_proj", c.hidden_size,
                                c.hidden_size, number, options)),
        attention_end(layer + "attn.c_proj", layer + "attn.c_proj", Sublayer::attention, number,
                      c.decoder->residual_dropout),
        feed_forward(single(Role::ffn_up, layer + "mlp.c_fc", c.hidden_size, c.intermediate_size,
                            number, options),
                     single(Role::ffn_down, layer + "mlp.c_proj", c.intermediate_size,
                            c.hidden_size, number, options),
                     c.hidden_act),
        feed_forward_end(layer + "mlp.c_proj", layer + "mlp.c_proj", Sublayer::feed_forward, number,
                         c.decoder->residual_dropout),
        shape_{.heads = c.heads,
               .head_width = c.decoder->head_width,
               .causal = true,
               .scale = scale_of(c, number)},
        attention_dropout_(c.attention_dropout) {
    attention_end.norms = {{attention_norm.name + ".weight", &attention_norm.weight},
                           {attention_norm.name + ".bias", &attention_norm.bias}};
    feed_forward_end.norms = {{feed_forward_norm.name + ".weight", &feed_forward_norm.weight},
                              {feed_forward_norm.name + ".bias", &feed_forward_norm.bias}};
  }

  Tensor forward(const Tensor& z, const Call& call) override {
    const SequenceLayout& read_rows = call.read ? call.read->rows : call.rows;
    const Call read{read_rows, call.path, call.context};
    const DropoutMask mask =
        call.context.mask(attention_dropout_, attention.site(), call.path, "attention", read_rows);
    const Tensor x = attention_norm.forward(z);  // [T, D]
    Tensor residual = z, mixed;
    if (call.read) {
      residual = z.index_select(0, call.read->index);  // [read, D]
      const Tensor query =
          attention.forward(x.index_select(0, call.read->index), read, kQuery);  // [read, D]
      mixed = attend(query, attention.forward(x, call, kKeyValue), read_rows, call, shape_, mask);
    } else {
      mixed = attend(Tensor(), attention.forward(x, call), call.rows, call, shape_, mask);
    }
    const Tensor attended =
        attention_end.add(attention_output.forward(mixed, read), residual, read);  // [read, D]
    return feed_forward_end.add(feed_forward.forward(feed_forward_norm.forward(attended), read),
                                attended, read);
  }

  bool is_random() const override {
    return attention_dropout_ > 0 || end_is_stochastic(attention_end) ||
           end_is_stochastic(feed_forward_end) || is_stochastic(attention) ||
           is_stochastic(attention_output) || is_stochastic(feed_forward);
  }

  LayerNorm attention_norm, feed_forward_norm;
  LinearGroup attention, attention_output;
  ResidualAdd attention_end;
  FeedForward feed_forward;
  ResidualAdd feed_forward_end;

 private:
  static double scale_of(const ModelConfig& c, int64_t number) {
    double scale = c.decoder->attention_scale;
    if (scale == 0) scale = 1 / std::sqrt(static_cast<double>(c.decoder->head_width));
    return c.decoder->scales_by_layer ? scale / static_cast<double>(number + 1) : scale;
  }

  AttentionShape shape_;
  double attention_dropout_;
};

class Gpt2Model final : public DecoderModel {
 public:
  Gpt2Model(const ModelConfig& config, HeadKind head, int64_t labels,
            const at::TensorOptions& options)
      : DecoderModel(config, head, labels, "transformer.", options),
        positions_(at::empty({config.max_positions, config.hidden_size}, options)),
        norm_(prefix_ + "ln_f", config.hidden_size, config.layer_norm_epsilon, options) {
    add_weight(prefix_ + "wte.weight", words_, WeightKind::embedding);
    add_weight(prefix_ + "wpe.weight", positions_, WeightKind::embedding);
    for (int64_t n = 0; n < config.layers; ++n) {
      auto layer =
          std::make_unique<Gpt2Layer>(config, prefix_ + "h." + std::to_string(n) + ".", n, options);
      add_norm(layer->attention_norm);
      add_transposed(layer->attention,
                     layer->attention.site().substr(0, layer->attention.site().rfind('.')));
      add_transposed(layer->attention_output, layer->attention_output.site());
      add_norm(layer->feed_forward_norm);
      add_transposed(layer->feed_forward.up, layer->feed_forward.up.site());
      add_transposed(layer->feed_forward.down, layer->feed_forward.down.site());
      sites_.feed_forwards.push_back(&layer->feed_forward);
      sites_.outputs.push_back(&layer->attention_end);
      sites_.outputs.push_back(&layer->feed_forward_end);
      stack_.layers.push_back(std::move(layer));
    }
    add_norm(norm_);
    add_head();
  }

 private:
  void add_norm(LayerNorm& norm) {
    add_weight(norm.name + ".weight", norm.weight, WeightKind::norm);
    add_weight(norm.name + ".bias", norm.bias, WeightKind::norm);
  }

  // `path` is the module that holds the whole group in files.
  void add_transposed(LinearGroup& group, const std::string& path) {
    sites_.groups.push_back(&group);
    add_weight(path + ".weight", group.weight, WeightKind::matrix);
    sites_.weights.back().transposed = true;
    add_weight(path + ".bias", group.bias, WeightKind::bias);
  }

  Tensor embed(const PackedBatch& batch, ForwardContext& context) const override {
    const Tensor z =
        at::embedding(words_, batch.ids) + at::embedding(positions_, batch.positions);  // [T, D]
    return dropout(
        z, context.mask(decoder().embedding_dropout, norm_.name, {}, "embeddings", batch.rows));
  }

  Tensor final_norm(const Tensor& z) const override { return norm_.forward(z); }

  Tensor positions_;  // [positions, D]
  LayerNorm norm_;
};

}  // namespace

std::unique_ptr<Model> make_gpt2(const ModelConfig& config, HeadKind head, int64_t labels,
                                 const at::TensorOptions& options) {
  return std::make_unique<Gpt2Model>(config, head, labels, options);
}

}  // namespace mixtune
