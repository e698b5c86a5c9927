// The LLaMA family: rotary positions, RMS norms before each sublayer, grouped-query attention,
// gated feed-forward. DecoderConfig holds the differences between LLaMA, Mistral, Qwen and Gemma.
// Legend: T tokens, D hidden size, H heads, G key-value heads, d width of a head; read: number of
// rows that a head reads.
#include "models/decoder.h"
#include "models/linears.h"
#include "models/stochastic.h"
#include "nn/rms_norm.h"

namespace mixtune {
namespace {

LinearGroup attention_group(const ModelConfig& c, const std::string& layer, int64_t number,
                            const at::TensorOptions& options) {
  const DecoderConfig& d = *c.decoder;
  const int64_t q = c.heads * d.head_width, kv = d.key_value_heads * d.head_width;
  return LinearGroup({{Role::query, layer + "self_attn.q_proj", 0, q},
                      {Role::key, layer + "self_attn.k_proj", q, q + kv},
                      {Role::value, layer + "self_attn.v_proj", q + kv, q + 2 * kv}},
                     c.hidden_size, number, options, d.attention_biased);
}

LinearGroup gate_up_group(const ModelConfig& c, const std::string& layer, int64_t number,
                          const at::TensorOptions& options) {
  const int64_t f = c.intermediate_size;
  return LinearGroup({{Role::ffn_gate, layer + "mlp.gate_proj", 0, f},
                      {Role::ffn_up, layer + "mlp.up_proj", f, 2 * f}},
                     c.hidden_size, number, options, c.decoder->feed_forward_biased);
}

class LlamaLayer final : public Layer {
 public:
  LlamaLayer(const ModelConfig& c, const std::string& layer, int64_t number,
             std::shared_ptr<Rotary> rotary, const at::TensorOptions& options)
      : attention(attention_group(c, layer, number, options)),
        attention_output(LinearGroup(
            {{Role::attention_output, layer + "self_attn.o_proj", 0, c.hidden_size}},
            c.heads * c.decoder->head_width, number, options, c.decoder->output_biased)),
        attention_end(layer + "self_attn.o_proj", layer + "self_attn.o_proj", Sublayer::attention,
                      number, c.decoder->residual_dropout),
        feed_forward(
            gate_up_group(c, layer, number, options),
            LinearGroup({{Role::ffn_down, layer + "mlp.down_proj", 0, c.hidden_size}},
                        c.intermediate_size, number, options, c.decoder->feed_forward_biased),
            c.hidden_act),
        feed_forward_end(layer + "mlp.down_proj", layer + "mlp.down_proj", Sublayer::feed_forward,
                         number, c.decoder->residual_dropout),
        rotary_(std::move(rotary)),
        shape_{.heads = c.heads,
               .head_width = c.decoder->head_width,
               .key_value_heads = c.decoder->key_value_heads,
               .causal = true,
               .window = c.decoder->windows[static_cast<size_t>(number)],
               .scale = c.decoder->attention_scale,
               .cap = c.decoder->attention_cap},
        attention_dropout_(c.attention_dropout) {
    const DecoderConfig& d = *c.decoder;
    const auto norm = [&](const std::string& name, int64_t width) {
      return RmsNorm(layer + name, width, c.layer_norm_epsilon, d.norm_offset, options);
    };
    norms.push_back(norm("input_layernorm", c.hidden_size));
    norms.push_back(norm("post_attention_layernorm", c.hidden_size));
    if (d.normalizes_outputs) {
      norms.push_back(norm("pre_feedforward_layernorm", c.hidden_size));
      norms.push_back(norm("post_feedforward_layernorm", c.hidden_size));
    }
    if (d.normalizes_heads) {
      head_norms.push_back(norm("self_attn.q_norm", d.head_width));
      head_norms.push_back(norm("self_attn.k_norm", d.head_width));
    }
    RmsNorm& before_feed_forward = norms[d.normalizes_outputs ? 2 : 1];
    attention_end.norms = {{norms[0].name + ".weight", &norms[0].weight}};
    feed_forward_end.norms = {{before_feed_forward.name + ".weight", &before_feed_forward.weight}};
  }

  Tensor forward(const Tensor& z, const Call& call) override {
    const SequenceLayout& read_rows = call.read ? call.read->rows : call.rows;
    const Call read{read_rows, call.path, call.context};
    const DropoutMask mask =
        call.context.mask(attention_dropout_, attention.site(), call.path, "attention", read_rows);
    const Tensor x = norms[0].forward(z);  // [T, D]
    Tensor residual = z, mixed;
    if (call.read) {
      residual = z.index_select(0, call.read->index);  // [read, D]
      const Tensor query = attention.forward(x.index_select(0, call.read->index), read, kQuery);
      const Tensor key_value = attention.forward(x, call, kKeyValue);  // [T, 2 G d]
      mixed = attend(rotated(query, true, false, read_rows, call.rows),
                     rotated(key_value, false, true, call.rows, call.rows), read_rows, call, shape_,
                     mask);
    } else {
      const Tensor fused = attention.forward(x, call);  // [T, (H + 2 G) d]
      mixed = attend(Tensor(), rotated(fused, true, true, call.rows, call.rows), call.rows, call,
                     shape_, mask);
    }
    Tensor out = attention_output.forward(mixed, read);  // [read, D]
    const bool after = norms.size() == 4;
    if (after) out = norms[1].forward(out);
    const Tensor attended = attention_end.add(out, residual, read);
    out = feed_forward.forward(norms[after ? 2 : 1].forward(attended), read);
    if (after) out = norms[3].forward(out);
    return feed_forward_end.add(out, attended, read);
  }

  bool is_random() const override {
    return attention_dropout_ > 0 || end_is_stochastic(attention_end) ||
           end_is_stochastic(feed_forward_end) || is_stochastic(attention) ||
           is_stochastic(attention_output) || is_stochastic(feed_forward);
  }

  LinearGroup attention, attention_output;
  ResidualAdd attention_end;
  FeedForward feed_forward;
  ResidualAdd feed_forward_end;
  // Before attention and before the feed-forward; Gemma 2: before and after each of them.
  std::vector<RmsNorm> norms;
  std::vector<RmsNorm> head_norms;  // of query and key, or empty

 private:
  // Normalizes queries and keys by head if the family does so, and rotates them by position. x
  // contains queries, keys and values, or some of these.
  Tensor rotated(const Tensor& x, bool has_query, bool has_key, const SequenceLayout& rows,
                 const SequenceLayout& whole) const {
    const int64_t q = has_query ? shape_.query_columns() : 0,
                  k = has_key ? shape_.key_columns() : 0;
    Tensor normed = x;
    if (!head_norms.empty()) {
      std::vector<Tensor> parts;
      if (has_query) parts.push_back(head_norms[0].forward(x.narrow(1, 0, q)));
      if (has_key) {
        parts.push_back(head_norms[1].forward(x.narrow(1, q, k)));
        parts.push_back(x.narrow(1, q + k, k));
      }
      normed = at::cat(parts, 1);
    }
    return rotary_->forward(normed, (q + k) / shape_.head_width, rows, whole);
  }

  std::shared_ptr<Rotary> rotary_;  // shared by all layers
  AttentionShape shape_;
  double attention_dropout_;
};

class LlamaModel final : public DecoderModel {
 public:
  LlamaModel(const ModelConfig& config, HeadKind head, int64_t labels,
             const at::TensorOptions& options)
      : DecoderModel(config, head, labels, "model.", options),
        norm_(prefix_ + "norm", config.hidden_size, config.layer_norm_epsilon,
              config.decoder->norm_offset, options) {
    const auto rotary = std::make_shared<Rotary>(config.decoder->rotary);
    add_weight(prefix_ + "embed_tokens.weight", words_, WeightKind::embedding);
    for (int64_t n = 0; n < config.layers; ++n) {
      auto layer = std::make_unique<LlamaLayer>(
          config, prefix_ + "layers." + std::to_string(n) + ".", n, rotary, options);
      add_group(layer->attention);
      for (RmsNorm& norm : layer->head_norms)
        add_weight(norm.name + ".weight", norm.weight, WeightKind::norm);
      add_group(layer->attention_output);
      add_group(layer->feed_forward.up);
      add_group(layer->feed_forward.down);
      for (RmsNorm& norm : layer->norms)
        add_weight(norm.name + ".weight", norm.weight, WeightKind::norm);
      sites_.feed_forwards.push_back(&layer->feed_forward);
      sites_.outputs.push_back(&layer->attention_end);
      sites_.outputs.push_back(&layer->feed_forward_end);
      stack_.layers.push_back(std::move(layer));
    }
    add_weight(norm_.name + ".weight", norm_.weight, WeightKind::norm);
    add_head();
  }

 private:
  Tensor embed(const PackedBatch& batch, ForwardContext& context) const override {
    Tensor z = at::embedding(words_, batch.ids);  // [T, D]
    if (decoder().embedding_scale != 1) z = z * decoder().embedding_scale;
    return dropout(
        z, context.mask(decoder().embedding_dropout, norm_.name, {}, "embeddings", batch.rows));
  }

  Tensor final_norm(const Tensor& z) const override { return norm_.forward(z); }

  RmsNorm norm_;
};

}  // namespace

std::unique_ptr<Model> make_llama(const ModelConfig& config, HeadKind head, int64_t labels,
                                  const at::TensorOptions& options) {
  return std::make_unique<LlamaModel>(config, head, labels, options);
}

}  // namespace mixtune
