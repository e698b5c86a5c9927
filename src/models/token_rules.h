// Rules on the scores of the next token: the logits processors of transformers, with the same
// semantics and in the same order. They act on one row at a time, on the CPU.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <vector>

namespace mixtune {

// The score of a forbidden token.
inline constexpr float kForbidden = -std::numeric_limits<float>::infinity();

struct TokenRules {
  double repetition_penalty = 1;     // applied to every id of the sequence; 1: off
  int64_t no_repeat_ngram_size = 0;  // n-grams of this size occur at most once; 0: off
  int64_t min_new_tokens = 0;        // stop ids are forbidden before this number of new tokens
  std::vector<int32_t> stops = {};   // ids that end a text; each must be in the vocabulary

  bool is_stop(int64_t id) const;
};

// The prompt and the tokens generated so far.
struct TokensSoFar {
  std::span<const int32_t> ids;
  int64_t prompt = 0;  // length of the prompt
};

// Changes scores [V] in place; forbidden tokens become kForbidden, possibly all of them. In greedy
// search and sampling the scores are logits, in beam search log-probabilities.
void apply_rules(std::span<float> scores, const TokensSoFar& text, const TokenRules& rules);

// Filters of the tokens that can be sampled.
struct SamplingFilters {
  double temperature = 1;  // divides the logits
  int64_t top_k = 0;       // keep the k highest logits and ties with the last of them; 0: all
  double top_p = 1;        // keep the smallest set with total probability p, at least one token
  double min_p = 0;        // minimum probability as a share of the highest probability
  double typical_p = 1;    // keep tokens whose surprise is nearest to the entropy, up to mass p
};

// Changes logits [V] in place; removed tokens become kForbidden.
void apply_filters(std::span<float> logits, const SamplingFilters& filters);

}  // namespace mixtune
