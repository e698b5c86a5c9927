// Rules on the scores of the next token, with the meaning that transformers gives them (there:
// logits processors), in its order. They act on one row at a time, on the host.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <vector>

namespace mixtune {

// The score of a token that may not come.
inline constexpr float kNever = -std::numeric_limits<float>::infinity();

struct TokenRules {
  double repetition_penalty = 1;     // of every id that stands in the text; 1: none
  int64_t no_repeat_ngram_size = 0;  // no run of so many ids comes twice; 0: off
  int64_t min_new_tokens = 0;        // until so many are written no stop is
  std::vector<int32_t> stops = {};   // the ids that end a text, all of the vocabulary

  bool is_stop(int64_t id) const;
};

// Prompt and what is written so far.
struct TextSoFar {
  std::span<const int32_t> ids;
  int64_t prompt = 0;
};

// scores [V], in place; what is forbidden becomes kNever, maybe everything. In greedy search and
// sampling the scores are logits, in beam search log-probabilities.
void apply_rules(std::span<float> scores, const TextSoFar& text, const TokenRules& rules);

// Which tokens sampling draws from.
struct SamplingFilters {
  double temperature = 1;  // divides the logits
  int64_t top_k = 0;       // the k highest, and what equals the last of them; 0: all
  double top_p = 1;        // the smallest set whose probability reaches p, at least one
  double min_p = 0;        // at least so much of the highest probability
  double typical_p = 1;    // those whose surprise is nearest to the entropy, up to p
};

// logits [V], in place; what is left out becomes kNever.
void apply_filters(std::span<float> logits, const SamplingFilters& filters);

}  // namespace mixtune
