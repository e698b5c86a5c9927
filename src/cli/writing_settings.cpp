#include "cli/writing_settings.h"

#include <algorithm>

namespace mixtune {
namespace {

using Patience = GenerateOptions::Patience;

Patience patience_of(const std::string& name) {
  if (name == "none") return Patience::none;
  return name == "full" ? Patience::full : Patience::likely;
}

Decoding decoding_of(const std::string& name) {
  if (name == "none") return Decoding::recompute;
  return name == "averaged" ? Decoding::averaged : Decoding::cached;
}

}  // namespace

void WritingSettings::fields(FieldVisitor& v) {
  v.field("max_new_tokens", max_new_tokens, "The longest text.", {.minimum = 1});
  v.field("min_new_tokens", min_new_tokens, "Until so many are written no end token comes.",
          {.minimum = 0});
  v.field("beams", beams, "Beam search over so many; 1 writes token after token.",
          {.minimum = 1, .maximum = 1024});
  v.field("returned", returned, "Texts for each prompt: the best beams, or so many draws.",
          {.minimum = 1, .maximum = 1024});
  v.field("length_penalty", length_penalty,
          "Beams are sorted by log-probability / tokens^length_penalty.");
  v.field("patience", patience,
          "When beams have ended: stop (none), stop if no running one is better now (likely) or "
          "can be better at any length (full).",
          {.choices = {"none", "likely", "full"}});
  v.field("repetition_penalty", repetition_penalty,
          "Divides the logits of tokens that stand in the text already.", {.above = 0});
  v.field("no_repeat_ngram", no_repeat_ngram, "No run of so many tokens comes twice; 0 is off.",
          {.minimum = 0});
  v.field("sample", sample, "Draw tokens instead of taking the best.");
  v.field("temperature", temperature, "Divides the logits before a draw.", {.above = 0});
  v.field("top_k", top_k, "Draw from the k best tokens; 0 is all.", {.minimum = 0});
  v.field("top_p", top_p, "Draw from the fewest tokens that have this probability together.",
          {.maximum = 1, .above = 0});
  v.field("min_p", min_p, "Draw from tokens with this share of the best one's probability.",
          {.minimum = 0, .maximum = 1});
  v.field("typical_p", typical_p,
          "Draw from the tokens whose surprise is nearest to the entropy, with this probability "
          "together.",
          {.maximum = 1, .above = 0});
  v.field("seed", seed, "Of the draws; the same seed gives the same texts.");
  v.field("stop", stop,
          "A text that ends what is written, and is left out of it; may be repeated.");
  v.field("stop_ids", stop_ids,
          "Token ids that end a text instead of those of the model's config; may be repeated.",
          {.minimum = 0, .maximum = INT32_MAX});
  v.field("too_long", too_long,
          "A prompt that leaves no room for max_new_tokens: refuse it, or cut it at its left.",
          {.choices = {"refuse", "cut_left"}});
  v.field("special", special, "Show special tokens in the texts.");
  v.field("cache", cache,
          "Keys and values that are kept: of every block that ran (exact), or none; averaged is "
          "MoLEx as it was released, which is not the model that was trained; auto: exact, but "
          "averaged for compat: released where the model allows it.",
          {.choices = {"auto", "exact", "none", "averaged"}});
  v.field("batch_size", batch_size, "Prompts that are written to at once.", {.minimum = 1});
}

std::optional<FieldProblem> WritingSettings::check() const {
  const bool filters = temperature != 1 || top_k != 0 || top_p != 1 || min_p != 0 || typical_p != 1;
  if (filters && !sample)
    return FieldProblem{"sample", "true where temperature, top_k, top_p, min_p or typical_p is set",
                        "Add --sample, or leave them out."};
  if (seed != 0 && !sample)
    return FieldProblem{"sample", "true where seed is set", "Add --sample, or leave --seed out."};
  if (sample && beams > 1)
    return FieldProblem{"beams", "1 where tokens are drawn", "Leave --sample or --beams out."};
  if ((length_penalty != 1 || patience != "likely") && beams == 1)
    return FieldProblem{"beams", "more than 1 where length_penalty or patience is set",
                        "Add --beams, or leave them out."};
  if (!sample && returned > beams)
    return FieldProblem{"returned", "at most beams, " + std::to_string(beams),
                        "Raise --beams, or add --sample."};
  if (std::find(stop.begin(), stop.end(), "") != stop.end())
    return FieldProblem{"stop", "a text that is not empty", "Leave it out, or name a text."};
  return std::nullopt;
}

GenerateOptions WritingSettings::options(const std::vector<int32_t>& stops) const {
  GenerateOptions out{.max_new_tokens = max_new_tokens,
                      .rules = {.repetition_penalty = repetition_penalty,
                                .no_repeat_ngram = no_repeat_ngram,
                                .min_new_tokens = min_new_tokens,
                                .stops = stops},
                      .beams = beams,
                      .length_penalty = length_penalty,
                      .patience = patience_of(patience),
                      .decoding = decoding_of(cache)};
  if (sample)
    out.sampling = SamplingFilters{.temperature = temperature,
                                   .top_k = top_k,
                                   .top_p = top_p,
                                   .min_p = min_p,
                                   .typical_p = typical_p};
  return out;
}

}  // namespace mixtune
