#include "models/bert.h"

#include "models/linears.h"
#include "models/stochastic.h"

// Legend: T tokens, S sequences, D hidden size, F intermediate size, C labels; read: number of rows
// that the head reads.

namespace mixtune {
namespace {

LinearGroup bert_attention(const ModelConfig& c, const std::string& layer, int64_t number,
                           const at::TensorOptions& options) {
  const int64_t d = c.hidden_size;
  return LinearGroup({{Role::query, layer + "attention.self.query", 0, d},
                      {Role::key, layer + "attention.self.key", d, 2 * d},
                      {Role::value, layer + "attention.self.value", 2 * d, 3 * d}},
                     d, number, options);
}

std::string layer_prefix(const std::string& prefix, int64_t number) {
  return prefix + "encoder.layer." + std::to_string(number) + ".";
}

}  // namespace

BertLayer::BertLayer(const ModelConfig& c, const std::string& prefix, int64_t number,
                     const at::TensorOptions& options)
    : attention(bert_attention(c, layer_prefix(prefix, number), number, options)),
      attention_output(single(Role::attention_output,
                              layer_prefix(prefix, number) + "attention.output.dense",
                              c.hidden_size, c.hidden_size, number, options)),
      attention_norm(LayerNorm(layer_prefix(prefix, number) + "attention.output.LayerNorm",
                               c.hidden_size, c.layer_norm_epsilon, options),
                     Sublayer::attention, number, c.hidden_dropout),
      feed_forward(single(Role::ffn_up, layer_prefix(prefix, number) + "intermediate.dense",
                          c.hidden_size, c.intermediate_size, number, options),
                   single(Role::ffn_down, layer_prefix(prefix, number) + "output.dense",
                          c.intermediate_size, c.hidden_size, number, options),
                   c.hidden_act),
      output_norm(LayerNorm(layer_prefix(prefix, number) + "output.LayerNorm", c.hidden_size,
                            c.layer_norm_epsilon, options),
                  Sublayer::feed_forward, number, c.hidden_dropout),
      shape_{c.heads, c.head_width()},
      attention_dropout_(c.attention_dropout) {
  for (ResidualNorm* end : {&attention_norm, &output_norm})
    end->norms = {{end->norm.name + ".weight", &end->norm.weight},
                  {end->norm.name + ".bias", &end->norm.bias}};
}

Tensor BertLayer::forward(const Tensor& z, const Call& call) {
  const SequenceLayout& read_rows = call.read ? call.read->rows : call.rows;
  const Call read{read_rows, call.path, call.context};
  const DropoutMask mask =
      call.context.mask(attention_dropout_, attention.site(), call.path, "attention", read_rows);
  Tensor residual, mixed;
  if (call.read) {
    residual = z.index_select(0, call.read->index);                  // [read, D]
    const Tensor query = attention.forward(residual, read, kQuery);  // [read, D]
    const Tensor key_value = attention.forward(z, call, kKeyValue);  // [T, 2 D]
    mixed = packed_attention(query, key_value, read_rows, call.rows, shape_, mask);
  } else {
    residual = z;
    mixed = packed_attention(Tensor(), attention.forward(z, call), call.rows, call.rows, shape_,
                             mask);  // [T, D]
  }
  const Tensor attended =
      attention_norm.forward(attention_output.forward(mixed, read), residual, read);  // [read, D]
  return output_norm.forward(feed_forward.forward(attended, read), attended, read);   // [read, D]
}

bool BertLayer::is_random() const {
  return attention_dropout_ > 0 || end_is_stochastic(attention_norm) ||
         end_is_stochastic(output_norm) || is_stochastic(attention) ||
         is_stochastic(attention_output) || is_stochastic(feed_forward);
}

BertModel::BertModel(const ModelConfig& config, HeadKind head, int64_t labels,
                     const at::TensorOptions& options)
    : config_(config),
      head_(head),
      labels_(head == HeadKind::none ? 0 : labels),
      prefix_(head == HeadKind::none ? "" : config.model_type + "."),
      words_(at::empty({config.vocab_size, config.hidden_size}, options)),
      positions_(at::empty({config.max_positions, config.hidden_size}, options)),
      token_types_(at::empty({config.type_vocab_size, config.hidden_size}, options)),
      embedding_norm_(prefix_ + "embeddings.LayerNorm", config.hidden_size,
                      config.layer_norm_epsilon, options) {
  for (int64_t n = 0; n < config.layers; ++n) {
    auto layer = std::make_unique<BertLayer>(config, prefix_, n, options);
    layers_.push_back(layer.get());
    stack_.layers.push_back(std::move(layer));
  }
  const int64_t d = config.hidden_size;
  if (head == HeadKind::dense) {
    dense_.emplace(single(Role::pooler, "classifier.dense", d, d, -1, options));
    classifier_.emplace(single(Role::classifier, "classifier.out_proj", d, labels, -1, options));
  } else {
    dense_.emplace(single(Role::pooler, prefix_ + "pooler.dense", d, d, -1, options));
    if (head == HeadKind::pooled)
      classifier_.emplace(single(Role::classifier, "classifier", d, labels, -1, options));
  }
  list_sites();
}

void BertModel::list_sites() {
  sites_.stack = &stack_;
  sites_.width = config_.hidden_size;
  sites_.initializer_range = config_.initializer_range;
  const auto add = [&](const std::string& name, Tensor& storage, WeightKind kind, WeightPart part) {
    sites_.weights.push_back({name, &storage, 0, storage.size(0), kind, part});
  };
  const auto add_norm = [&](LayerNorm& norm) {
    add(norm.name + ".weight", norm.weight, WeightKind::norm, WeightPart::backbone);
    add(norm.name + ".bias", norm.bias, WeightKind::norm, WeightPart::backbone);
  };
  const auto add_group = [&](LinearGroup& group, WeightPart part) {
    for (const Member& m : group.members())
      sites_.weights.push_back(
          {m.name + ".weight", &group.weight, m.begin, m.end, WeightKind::matrix, part});
    for (const Member& m : group.members())
      sites_.weights.push_back(
          {m.name + ".bias", &group.bias, m.begin, m.end, WeightKind::bias, part});
  };
  const std::string embeddings = prefix_ + "embeddings.";
  const auto backbone = WeightPart::backbone;
  add(embeddings + "word_embeddings.weight", words_, WeightKind::embedding, backbone);
  add(embeddings + "position_embeddings.weight", positions_, WeightKind::embedding, backbone);
  add(embeddings + "token_type_embeddings.weight", token_types_, WeightKind::embedding, backbone);
  add_norm(embedding_norm_);
  for (BertLayer* layer : layers_) {
    for (LinearGroup* group : {&layer->attention, &layer->attention_output, &layer->feed_forward.up,
                               &layer->feed_forward.down}) {
      sites_.groups.push_back(group);
      add_group(*group, backbone);
    }
    add_norm(layer->attention_norm.norm);
    add_norm(layer->output_norm.norm);
    sites_.feed_forwards.push_back(&layer->feed_forward);
    sites_.outputs.push_back(&layer->attention_norm);
    sites_.outputs.push_back(&layer->output_norm);
  }
  add_group(*dense_, head_ == HeadKind::dense ? WeightPart::head : WeightPart::pooler);
  if (classifier_) add_group(*classifier_, WeightPart::head);
}

int64_t BertModel::max_length() const {
  const bool shifted = config_.model_type == "roberta";
  return config_.max_positions - (shifted ? config_.pad_token_id + 1 : 0);
}

Tensor BertModel::embed(const PackedBatch& batch, ForwardContext& context) const {
  // RoBERTa counts positions from padding_idx + 1. A padding id inside a sequence gets padding_idx
  // and does not advance the count.
  Tensor positions = batch.positions;
  if (config_.model_type == "roberta") {
    const Tensor real = batch.ids.ne(config_.pad_token_id).to(at::kLong);  // [T]
    if (real.all().item<bool>()) {
      positions = positions + (config_.pad_token_id + 1);
    } else {
      std::vector<Tensor> parts;
      for (int64_t s = 0; s < batch.rows.sequences(); ++s) {
        const Tensor part = real.narrow(0, batch.rows.offsets[s], batch.rows.length(s));
        parts.push_back(part.cumsum(0) * part + config_.pad_token_id);
      }
      positions = at::cat(parts, 0);
    }
  }
  Tensor z = at::embedding(words_, batch.ids) + at::embedding(positions_, positions);  // [T, D]
  z = z + (batch.token_types.defined() ? at::embedding(token_types_, batch.token_types)
                                       : token_types_.select(0, 0));
  z = embedding_norm_.forward(z);
  return dropout(
      z, context.mask(config_.hidden_dropout, embedding_norm_.name, {}, "embeddings", batch.rows));
}

Tensor BertModel::last_hidden_state(const PackedBatch& batch, ForwardContext& context) {
  return stack_.forward(embed(batch, context), batch.rows, context, nullptr);
}

Tensor BertModel::pooled(const Tensor& last_hidden_state, const SequenceLayout& rows) {
  if (head_ == HeadKind::dense) return {};
  const Tensor first = last_hidden_state.index_select(0, first_rows(rows).index);  // [S, D]
  return at::tanh(dense_->base(first, dense_->all()));
}

Tensor BertModel::logits(const PackedBatch& batch, ForwardContext& context) {
  MIXTUNE_CHECK(classifier_.has_value(), "a base model has no logits");
  const SelectedRows first = first_rows(batch.rows);
  const Tensor z = stack_.forward(embed(batch, context), batch.rows, context, &first);  // [S, D]
  return head(z, first.rows, context);
}

Tensor BertModel::head(const Tensor& first, const SequenceLayout& rows,
                       ForwardContext& context) const {
  const double p = config_.head_dropout();
  Tensor x = first;  // [S, D]
  if (head_ == HeadKind::dense)
    x = dropout(x, context.mask(p, classifier_->site(), {}, "head input", rows));
  x = at::tanh(dense_->base(x, dense_->all()));
  x = dropout(x, context.mask(p, classifier_->site(), {}, "head", rows));
  return classifier_->base(x, classifier_->all());  // [S, C]
}

std::unique_ptr<Model> make_bert(const ModelConfig& config, HeadKind head, int64_t labels,
                                 const at::TensorOptions& options) {
  return std::make_unique<BertModel>(config, head, labels, options);
}

}  // namespace mixtune
