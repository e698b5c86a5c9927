// Rules on the scores of the next token, with the meaning that transformers gives them (there:
// logits processors), in its order. They act on one row at a time, on the host.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace molt {

struct TokenRules {
  double repetition_penalty = 1;    // of every id that stands in the text; 1: none
  int64_t no_repeat_ngram = 0;      // no run of so many ids comes twice; 0: off
  int64_t min_new_tokens = 0;       // until so many are written no stop is
  std::vector<int32_t> stops = {};  // the ids that end a text

  bool is_stop(int64_t id) const;
};

// Prompt and what is written so far.
struct TextSoFar {
  std::span<const int32_t> ids;
  int64_t prompt = 0;
};

// scores [V], in place; what is forbidden becomes -inf. In greedy search and sampling the scores
// are logits, in beam search log-probabilities.
void apply_rules(std::span<float> scores, const TextSoFar& text, const TokenRules& rules);

// Which tokens sampling draws from.
struct SamplingFilters {
  double temperature = 1;  // divides the logits
  int64_t top_k = 0;       // the k highest, and what equals the last of them; 0: all
  double top_p = 1;        // the smallest set whose probability reaches p, at least one
  double min_p = 0;        // at least so much of the highest probability
  double typical_p = 1;    // those whose surprise is nearest to the entropy, up to p
};

// logits [V], in place; what is left out becomes -inf.
void apply_filters(std::span<float> logits, const SamplingFilters& filters);

}  // namespace molt
