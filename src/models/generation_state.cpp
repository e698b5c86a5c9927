#include "models/generation_state.h"

namespace mixtune {
namespace {

// Whether the keys of earlier tokens stay constant while a sequence grows to `longest` tokens.
bool keys_are_constant(const DecoderConfig& model, int64_t longest) {
  return model.rotary.kind != RotarySettings::Kind::dynamic || longest <= model.rotary.positions;
}

// Why sequences of `longest` tokens cannot use the averaged cache; nullopt if they can.
std::optional<UserError> averaging_error(DecoderModel& model, int64_t longest) {
  if (model.sites().stack->runs_every_row)
    return UserError("cache", "is averaged, which does not support expert routers that pool tokens",
                     "Use --cache exact.");
  const DecoderConfig& config = *model.config().decoder;
  if (keys_are_constant(config, longest)) return std::nullopt;
  return UserError(
      "cache",
      "is averaged, which requires constant keys; dynamic rotary positions change the keys of "
      "sequences longer than " +
          std::to_string(config.rotary.positions) + " tokens, and these may have " +
          std::to_string(longest),
      "Lower max_new_tokens, or use --cache exact.");
}

}  // namespace

void check_decoding(DecoderModel& model, Decoding decoding, int64_t longest) {
  if (decoding != Decoding::averaged) return;
  if (const auto error = averaging_error(model, longest)) throw *error;
}

bool can_average(DecoderModel& model, int64_t longest) {
  return !averaging_error(model, longest);
}

GenerationState::GenerationState(DecoderModel& model, ForwardContext& context, Decoding decoding,
                                 int64_t longest)
    : model_(model),
      context_(context),
      is_cached_(decoding != Decoding::recompute &&
                 keys_are_constant(*model.config().decoder, longest)),
      state_(decoding == Decoding::averaged) {
  check_decoding(model, decoding, longest);
  MIXTUNE_CHECK(context.phase == Phase::evaluate && context.decode == nullptr,
                "the context must be new and of phase evaluate");
  if (is_cached_) context_.decode = &state_;
}

GenerationState::~GenerationState() {
  context_.decode = nullptr;
}

Tensor GenerationState::start(const std::vector<std::vector<int32_t>>& prompts) {
  MIXTUNE_CHECK(texts_.empty(), "start() was called twice");
  for (const auto& ids : prompts) texts_.push_back({ids, static_cast<int64_t>(ids.size())});
  std::vector<int64_t>& sequence_ids = context_.sequence_ids;
  if (sequence_ids.empty())
    for (int64_t s = 0; s < size(); ++s) sequence_ids.push_back(s);
  MIXTUNE_CHECK(static_cast<int64_t>(sequence_ids.size()) == size(),
                "expected one sequence id per prompt");
  return run(0);
}

Tensor GenerationState::step(const std::vector<int64_t>& parents,
                             const std::vector<int32_t>& tokens) {
  MIXTUNE_CHECK(parents.size() == tokens.size() && !parents.empty(),
                "expected one token per sequence");
  std::vector<Text> grown;
  for (size_t i = 0; i < parents.size(); ++i) {
    grown.push_back(texts_.at(parents[i]));
    grown.back().ids.push_back(tokens[i]);
  }
  texts_ = std::move(grown);
  context_.keep_sequences(parents);
  if (is_cached_) state_.keep(parents);
  return run(is_cached_ ? 1 : 0);
}

Tensor GenerationState::run(int64_t last_tokens) {
  const at::NoGradGuard no_grad;
  // Skips autograd dispatch, which costs as much as a small operation itself.
  const at::AutoDispatchBelowADInplaceOrView below_autograd;
  std::vector<SequenceView> views;
  std::vector<int64_t> firsts;  // position of the first new token of each sequence
  for (int64_t s = 0; s < size(); ++s) {
    const auto length = static_cast<int64_t>(texts_[s].ids.size());
    const int64_t first = last_tokens > 0 ? length - last_tokens : 0;
    firsts.push_back(first);
    views.push_back({.ids = texts_[s].ids.data() + first,
                     .type_ids = nullptr,
                     .length = length - first,
                     .example = s,
                     .prompt = last_tokens > 0 ? 0 : texts_[s].prompt});
  }
  PackedBatch batch = pack(views, model_.sites().weights.front().storage->device());
  if (last_tokens > 0) {
    batch.positions = batch.positions + at::tensor(firsts, at::kLong)
                                            .index_select(0, batch.rows.sequence_of_row().cpu())
                                            .to(batch.positions.device());
    batch.rows.token = batch.positions;
  }
  return model_.next_logits(batch, context_).to(at::kCPU, at::kFloat).contiguous();  // [S, V]
}

}  // namespace mixtune
