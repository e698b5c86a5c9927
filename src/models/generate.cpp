#include "models/generate.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace mixtune {
namespace {

// The logits of a sequence as a writable span.
std::span<float> row_of(const Tensor& scores, int64_t text) {
  return {scores.data_ptr<float>() + text * scores.size(1), static_cast<size_t>(scores.size(1))};
}

double log_sum(std::span<const float> row) {
  const double largest = *std::max_element(row.begin(), row.end());
  double sum = 0;
  for (const float x : row) sum += std::exp(static_cast<double>(x) - largest);
  return largest + std::log(sum);
}

// Samples a token by inverting the cumulative distribution of filtered logits at `uniform` in
// [0, 1).
int32_t sample(std::span<const float> row, double uniform) {
  const double largest = *std::max_element(row.begin(), row.end());
  std::vector<double> cumulative(row.size());
  double sum = 0;
  for (size_t i = 0; i < row.size(); ++i)
    cumulative[i] = sum += std::exp(static_cast<double>(row[i]) - largest);
  const auto found = std::upper_bound(cumulative.begin(), cumulative.end(), uniform * sum);
  // Rounding may leave no larger value; then take the last token with a probability.
  const auto last = std::lower_bound(cumulative.begin(), cumulative.end(), sum);
  return static_cast<int32_t>(std::min(found, last) - cumulative.begin());
}

// The next token of a sequence after the rules, which must leave at least one, and its
// log-probability before the sampling filters.
std::pair<int32_t, double> choose(std::span<float> row, const GenerateOptions& options,
                                  size_t prompt, int64_t written) {
  const double sum = log_sum(row);
  if (!options.sampling) {  // a tie selects the lowest id
    const auto best = std::max_element(row.begin(), row.end());
    return {static_cast<int32_t>(best - row.begin()), *best - sum};
  }
  const std::vector<float> scores(row.begin(), row.end());
  apply_filters(row, *options.sampling);
  const double uniform = uniform_number(options.streams[prompt], static_cast<uint64_t>(written));
  const int32_t token = sample(row, uniform);
  return {token, scores[static_cast<size_t>(token)] - sum};
}

DecoderModel& decoder_of(Model& model) {
  auto* decoder = dynamic_cast<DecoderModel*>(&model);
  if (decoder == nullptr || !model.is_language_model())
    throw UserError("model",
                    "is of type " + model.config().model_type +
                        (decoder ? " without a language head" : "") + "; it cannot generate text",
                    "Use a decoder (gpt2, llama, ...) with a language head.");
  return *decoder;
}

void check_length(const Model& model, const std::vector<std::vector<int32_t>>& prompts,
                  int64_t longest) {
  for (size_t i = 0; i < prompts.size(); ++i)
    if (prompts[i].empty())
      throw UserError("prompt " + std::to_string(i), "is empty; expected at least one token",
                      "Add text, or the model's begin token.");
  if (longest > model.max_length())
    throw UserError("max_new_tokens",
                    "allows " + std::to_string(longest) +
                        " tokens with the prompt; the model has positions for " +
                        std::to_string(model.max_length()),
                    "Lower max_new_tokens or shorten the prompt.");
}

}  // namespace

std::vector<Generated> greedy_or_sample(GenerationState& texts,
                                        const std::vector<std::vector<int32_t>>& prompts,
                                        const GenerateOptions& options) {
  std::vector<Generated> out(prompts.size());
  std::vector<size_t> prompt_of(prompts.size());  // the prompt of each running sequence
  for (size_t i = 0; i < prompts.size(); ++i) prompt_of[i] = i;
  Tensor logits = texts.start(prompts);  // [S, V]
  for (int64_t written = 0; written < options.max_new_tokens; ++written) {
    std::vector<int64_t> parents;
    std::vector<int32_t> tokens;
    std::vector<size_t> running;
    for (int64_t s = 0; s < texts.size(); ++s) {
      const size_t prompt = prompt_of[s];
      const std::span<float> row = row_of(logits, s);
      apply_rules(row, {texts.ids(s), texts.prompt(s)}, options.rules);
      // If the rules forbid every token, the text ends.
      if (*std::max_element(row.begin(), row.end()) == kForbidden) continue;
      const auto [token, log_probability] = choose(row, options, prompt, written);
      Generated& text = out[prompt];
      text.ids.push_back(token);
      text.log_probability += log_probability;
      const bool ends = options.ends && options.ends(prompt, text.ids);
      text.stopped = ends || options.rules.is_stop(token);
      if (text.stopped) continue;
      parents.push_back(s);
      tokens.push_back(token);
      running.push_back(prompt);
    }
    if (parents.empty()) break;
    prompt_of = running;
    if (written + 1 < options.max_new_tokens) logits = texts.step(parents, tokens);
  }
  for (Generated& text : out) text.score = text.log_probability;
  return out;
}

std::vector<std::vector<Generated>> generate(Model& model,
                                             const std::vector<std::vector<int32_t>>& prompts,
                                             const GenerateOptions& options,
                                             ForwardContext& context) {
  MIXTUNE_CHECK(options.num_beams >= 1 && options.max_new_tokens >= 1,
                "num_beams and max_new_tokens must be positive");
  MIXTUNE_CHECK(
      !options.sampling || (options.num_beams == 1 && options.streams.size() == prompts.size()),
      "sampling needs one beam and one stream per prompt");
  DecoderModel& decoder = decoder_of(model);
  int64_t longest = 0;
  for (const auto& ids : prompts) longest = std::max(longest, static_cast<int64_t>(ids.size()));
  longest += options.max_new_tokens;
  check_length(model, prompts, longest);
  if (prompts.empty()) return {};
  context.sequence_ids = options.sequence_ids;
  GenerationState texts(decoder, context, options.decoding, longest);
  if (options.num_beams > 1) return beam_search(texts, prompts, options);
  std::vector<std::vector<Generated>> out;
  for (Generated& text : greedy_or_sample(texts, prompts, options))
    out.push_back({std::move(text)});
  return out;
}

}  // namespace mixtune
