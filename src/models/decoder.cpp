// Legend: T tokens, S sequences, D hidden size, V vocabulary, C labels.
#include "models/decoder.h"

namespace mixtune {
namespace {

int64_t outputs_of(const ModelConfig& config, HeadKind head, int64_t labels) {
  return head == HeadKind::none ? 0 : head == HeadKind::language ? config.vocab_size : labels;
}

// The last token of each sequence that is not padding, or the last token if all are padding.
SelectedRows last_rows(const PackedBatch& batch, int64_t pad_token_id) {
  std::vector<int64_t> chosen;
  const Tensor ids = batch.ids.to(at::kCPU);
  const int64_t* id = ids.const_data_ptr<int64_t>();
  for (int64_t s = 0; s < batch.rows.sequences(); ++s) {
    const int64_t first = batch.rows.offsets[s], last = batch.rows.offsets[s + 1] - 1;
    int64_t row = last;
    while (row > first && id[row] == pad_token_id) --row;
    chosen.push_back(id[row] == pad_token_id ? last : row);
  }
  return select_rows(batch.rows, chosen);
}

}  // namespace

DecoderModel::DecoderModel(const ModelConfig& config, HeadKind head, int64_t labels,
                           const std::string& base, const at::TensorOptions& options)
    : config_(config),
      prefix_(head == HeadKind::none ? "" : base),
      words_(at::empty({config.vocab_size, config.hidden_size}, options)),
      head_(head),
      outputs_(outputs_of(config, head, labels)) {
  MIXTUNE_CHECK(config.decoder.has_value(), "the config has no decoder settings");
  MIXTUNE_CHECK(
      head == HeadKind::none || head == HeadKind::language || head == HeadKind::last_token,
      "a decoder cannot have an encoder's head");
  const bool has_own_head = head == HeadKind::last_token || !config.decoder->tied;
  if (head != HeadKind::none && has_own_head)
    classifier_.emplace(LinearGroup(
        {{Role::classifier, head == HeadKind::language ? "lm_head" : "score", 0, outputs_}},
        config.hidden_size, -1, options, false));
  sites_.stack = &stack_;
  sites_.width = config.hidden_size;
  sites_.initializer_range = config.initializer_range;
}

void DecoderModel::add_weight(const std::string& name, Tensor& storage, WeightKind kind) {
  sites_.weights.push_back({name, &storage, 0, storage.size(0), kind, WeightPart::backbone});
}

void DecoderModel::add_group(LinearGroup& group) {
  sites_.groups.push_back(&group);
  for (const Member& m : group.members())
    sites_.weights.push_back({m.name + ".weight", &group.weight, m.begin, m.end, WeightKind::matrix,
                              WeightPart::backbone});
  if (!group.bias.defined()) return;
  for (const Member& m : group.members())
    sites_.weights.push_back(
        {m.name + ".bias", &group.bias, m.begin, m.end, WeightKind::bias, WeightPart::backbone});
}

void DecoderModel::add_head() {
  if (!classifier_) return;
  sites_.weights.push_back({classifier_->site() + ".weight", &classifier_->weight, 0, outputs_,
                            WeightKind::matrix,
                            head_ == HeadKind::language ? WeightPart::backbone : WeightPart::head});
}

int64_t DecoderModel::max_length() const {
  // Dynamic rotary positions have no maximum length.
  const bool grows = decoder().rotary.kind == RotarySettings::Kind::dynamic;
  return grows ? int64_t{1} << 24 : config_.max_positions;
}

LanguageHead DecoderModel::language_head() const {
  MIXTUNE_CHECK(head_ == HeadKind::language, "the model has no language head");
  return {classifier_ ? classifier_->weight : words_, decoder().logits_cap};
}

Tensor DecoderModel::through_head(const Tensor& z) const {
  if (head_ == HeadKind::last_token) return classifier_->base(z, classifier_->all());
  const LanguageHead head = language_head();
  const bool is_packed =
      packed_words && z.size(0) <= PackedWeight::kFewRows && !at::GradMode::is_enabled();
  const Tensor out = is_packed     ? packed_words->multiply(z, Tensor())
                     : classifier_ ? classifier_->base(z, classifier_->all())
                                   : at::linear(z, head.weight);
  return head.cap == 0 ? out : at::tanh(out / head.cap) * head.cap;
}

Tensor DecoderModel::head_input(const PackedBatch& batch, ForwardContext& context,
                                const SelectedRows* read) {
  return final_norm(stack_.forward(embed(batch, context), rows_of(batch), context, read));
}

// The input of a classifier has no completion, so all of it is the prompt.
SequenceLayout DecoderModel::rows_of(const PackedBatch& batch) const {
  SequenceLayout rows = batch.rows;
  if (head_ != HeadKind::last_token || !rows.prompt.empty()) return rows;
  for (int64_t s = 0; s < rows.sequences(); ++s) rows.prompt.push_back(rows.length(s));
  return rows;
}

Tensor DecoderModel::logits(const PackedBatch& batch, ForwardContext& context) {
  MIXTUNE_CHECK(head_ != HeadKind::none, "a base model has no logits");
  if (head_ == HeadKind::language)
    return through_head(head_input(batch, context, nullptr));  // [T, V]
  const SelectedRows last = last_rows(batch, config_.pad_token_id);
  return through_head(head_input(batch, context, &last));  // [S, C]
}

Tensor DecoderModel::next_logits(const PackedBatch& batch, ForwardContext& context) {
  MIXTUNE_CHECK(head_ == HeadKind::language, "next_logits() needs a language head");
  std::optional<SelectedRows> read;  // nullopt if every sequence has one token: read all rows
  if (batch.rows.tokens() > batch.rows.sequences()) {
    std::vector<int64_t> last;
    for (int64_t s = 0; s < batch.rows.sequences(); ++s)
      last.push_back(batch.rows.offsets[s + 1] - 1);
    read = select_rows(batch.rows, last);
  }
  return through_head(final_norm(stack_.forward(embed(batch, context), batch.rows, context,
                                                read ? &*read : nullptr)));  // [S, V]
}

Tensor DecoderModel::last_hidden_state(const PackedBatch& batch, ForwardContext& context) {
  const Tensor z = head_input(batch, context, nullptr);  // [T, D]
  if (stack_.hidden_states) stack_.hidden_states->back() = z.detach();
  return z;
}

}  // namespace mixtune
