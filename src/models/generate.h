// Writing texts: greedy search, beam search and sampling, with the meaning that transformers gives
// their settings. Texts grow beside a cache of keys and values; MoLEx's votes are those of the
// prompt.
#pragma once

#include <functional>

#include "models/generation_state.h"
#include "models/token_rules.h"

namespace mixtune {

struct GenerateOptions {
  int64_t max_new_tokens = 64;
  TokenRules rules = {};
  int64_t num_beams = 1;      // 1: token after token, the best or a drawn one
  double length_penalty = 1;  // beams: a text's score is its log-probability / tokens^penalty
  // Beams, when as many texts have ended as there are beams: stop at once; when no running one can
  // be better as long as it is; when none can be better at any length.
  enum class EarlyStopping { at_once, likely, never } early_stopping = EarlyStopping::likely;
  // Where set, tokens are drawn. `streams`: of each prompt, the key of its draws; a draw is a
  // function of key and token number, so a text does not depend on its batch.
  std::optional<SamplingFilters> sampling = {};
  std::vector<RandomKey> streams = {};
  // Of each prompt, what draws of the model go by (MoLEx's `control: uniform`), so that a text does
  // not depend on its batch; empty: its place among the prompts.
  std::vector<int64_t> sequence_ids = {};
  // Called with each new token of a text: whether `written` ends it, beside the stops of the rules.
  std::function<bool(size_t prompt, std::span<const int32_t> written)> ends = {};
  Decoding decoding = Decoding::cached;
};

struct Generated {
  std::vector<int32_t> ids = {};  // without the prompt; a stop that ended it included
  bool stopped = false;           // by a stop or by `ends`
  double log_probability = 0;     // of ids, under the scores that the rules leave
  double score = 0;               // beams: what they are sorted by
};

// For each prompt (at least one token each) its texts, best first: one, or as many as there are
// beams. `context`: a fresh one of phase evaluate, with the layout of the measures of what is
// attached. UserError where a text may grow longer than the model has positions, or the model has
// no language head.
std::vector<std::vector<Generated>> generate(Model& model,
                                             const std::vector<std::vector<int32_t>>& prompts,
                                             const GenerateOptions& options,
                                             ForwardContext& context);

// The two searches behind it, on texts that have not started.
std::vector<Generated> plain_search(GenerationState& texts,
                                    const std::vector<std::vector<int32_t>>& prompts,
                                    const GenerateOptions& options);
std::vector<std::vector<Generated>> beam_search(GenerationState& texts,
                                                const std::vector<std::vector<int32_t>>& prompts,
                                                const GenerateOptions& options);

}  // namespace mixtune
