#include "cli/generation_settings.h"

#include <algorithm>

namespace mixtune {
namespace {

using EarlyStopping = GenerateOptions::EarlyStopping;

EarlyStopping early_stopping_of(const std::string& name) {
  if (name == "true") return EarlyStopping::at_once;
  return name == "never" ? EarlyStopping::never : EarlyStopping::likely;
}

Decoding decoding_of(const std::string& name) {
  if (name == "none") return Decoding::recompute;
  return name == "averaged" ? Decoding::averaged : Decoding::cached;
}

}  // namespace

void GenerationSettings::fields(FieldVisitor& v) {
  v.field("max_new_tokens", max_new_tokens, "Maximum number of tokens to generate.",
          {.minimum = 1});
  v.field("min_new_tokens", min_new_tokens,
          "Minimum number of tokens before an end-of-text token may be generated.", {.minimum = 0});
  v.field("num_beams", num_beams, "Number of beams of beam search; 1: greedy search or sampling.",
          {.minimum = 1, .maximum = 1024});
  v.field("num_return_sequences", num_return_sequences,
          "Number of texts for each prompt: the best beams, or independent samples.",
          {.minimum = 1, .maximum = 1024});
  v.field("length_penalty", length_penalty,
          "Beams are ranked by log-probability / tokens^length_penalty.");
  v.field(
      "early_stopping", early_stopping,
      "End of beam search once num_beams texts are complete. true: at once; false: when no running "
      "beam is better at its present length; never: when no running beam can become better at any "
      "length.",
      {.choices = {"true", "false", "never"}});
  v.field("repetition_penalty", repetition_penalty,
          "Divides the positive logits of tokens that occur in the text, and multiplies the "
          "negative ones.",
          {.above = 0});
  v.field("no_repeat_ngram_size", no_repeat_ngram_size,
          "No n-gram of this size occurs twice; 0: off.", {.minimum = 0});
  v.field("do_sample", do_sample, "Sample tokens instead of taking the most probable one.");
  v.field("temperature", temperature, "Divides the logits before sampling.", {.above = 0});
  v.field("top_k", top_k, "Sample from the k most probable tokens; 0: all.", {.minimum = 0});
  v.field(
      "top_p", top_p,
      "Sample from the smallest set of most probable tokens whose probabilities sum to at least "
      "this.",
      {.maximum = 1, .above = 0});
  v.field("min_p", min_p,
          "Sample from tokens with at least this share of the highest token probability.",
          {.minimum = 0, .maximum = 1});
  v.field("typical_p", typical_p,
          "Sample from the tokens whose information content is nearest to the entropy and whose "
          "probabilities sum to this.",
          {.maximum = 1, .above = 0});
  v.field("seed", seed, "Seed of sampling; the same seed gives the same texts.");
  v.field("stop_strings", stop_strings,
          "Strings that end a text and are left out of it; may be repeated.");
  v.field("eos_token_id", eos_token_id,
          "Token ids that end a text, in place of those of the model's configuration; may be "
          "repeated.",
          {.minimum = 0, .maximum = INT32_MAX});
  v.field("too_long", too_long,
          "Handling of a prompt that leaves no room for max_new_tokens. reject: error; "
          "truncate_left: remove tokens at its start.",
          {.choices = {"reject", "truncate_left"}});
  v.field("show_special_tokens", show_special_tokens, "Keep special tokens in the texts.");
  v.field("cache", cache,
          "Cache of keys and values. exact: separate keys and values for each layer at each "
          "position of the stack; none: recompute the whole text for each token; averaged: the "
          "cache of the authors' MoLEx code, which computes another model than was trained; auto: "
          "averaged for methods with compat: reference where the model allows it, else exact.",
          {.choices = {"auto", "exact", "none", "averaged"}});
  v.field("batch_size", batch_size, "Number of prompts that run together.", {.minimum = 1});
}

std::optional<FieldProblem> GenerationSettings::check() const {
  const bool filters = temperature != 1 || top_k != 0 || top_p != 1 || min_p != 0 || typical_p != 1;
  if (filters && !do_sample)
    return FieldProblem{"do_sample",
                        "true where temperature, top_k, top_p, min_p or typical_p is set",
                        "Add --do-sample, or remove them."};
  if (seed != 0 && !do_sample)
    return FieldProblem{"do_sample", "true where seed is set",
                        "Add --do-sample, or remove --seed."};
  if (do_sample && num_beams > 1)
    return FieldProblem{"num_beams", "1 where tokens are sampled",
                        "Remove --do-sample or --num-beams."};
  if ((length_penalty != 1 || early_stopping != "false") && num_beams == 1)
    return FieldProblem{"num_beams", "more than 1 where length_penalty or early_stopping is set",
                        "Add --num-beams, or remove them."};
  if (!do_sample && num_return_sequences > num_beams)
    return FieldProblem{"num_return_sequences", "at most num_beams, " + std::to_string(num_beams),
                        "Raise --num-beams, or add --do-sample."};
  if (std::find(stop_strings.begin(), stop_strings.end(), "") != stop_strings.end())
    return FieldProblem{"stop_strings", "a string that is not empty",
                        "Remove it, or name a string."};
  return std::nullopt;
}

GenerateOptions GenerationSettings::options(const std::vector<int32_t>& stops) const {
  GenerateOptions out{.max_new_tokens = max_new_tokens,
                      .rules = {.repetition_penalty = repetition_penalty,
                                .no_repeat_ngram_size = no_repeat_ngram_size,
                                .min_new_tokens = min_new_tokens,
                                .stops = stops},
                      .num_beams = num_beams,
                      .length_penalty = length_penalty,
                      .early_stopping = early_stopping_of(early_stopping),
                      .decoding = decoding_of(cache)};
  if (do_sample)
    out.sampling = SamplingFilters{.temperature = temperature,
                                   .top_k = top_k,
                                   .top_p = top_p,
                                   .min_p = min_p,
                                   .typical_p = typical_p};
  return out;
}

}  // namespace mixtune
