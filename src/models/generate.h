// Text generation: greedy search, beam search and sampling, with the semantics of transformers.
// Decoding uses a key-value cache; MoLEx routes by the prompt and keeps this decision.
#pragma once

#include <functional>

#include "models/generation_state.h"
#include "models/token_rules.h"

namespace mixtune {

struct GenerateOptions {
  int64_t max_new_tokens = 64;
  TokenRules rules = {};
  int64_t num_beams = 1;      // 1: greedy search or sampling
  double length_penalty = 1;  // beams: the score of a text is log-probability / tokens^penalty
  // When beam search stops, once num_beams texts have ended: at once; if no running beam can be
  // better at its current length; or if none can be better at any length.
  enum class EarlyStopping { at_once, likely, never } early_stopping = EarlyStopping::likely;
  // If set, tokens are sampled. `streams` has one random key per prompt; a sample is a function of
  // key and token index, so a text does not depend on its batch.
  std::optional<SamplingFilters> sampling = {};
  std::vector<RandomKey> streams = {};
  // One id per prompt, for random numbers of the model (MoLEx's `control: uniform`), so that a text
  // does not depend on its batch. Empty: the index of the prompt.
  std::vector<int64_t> sequence_ids = {};
  // Called after each new token: whether the new tokens `written` end the text, in addition to the
  // stop tokens of the rules.
  std::function<bool(size_t prompt, std::span<const int32_t> written)> ends = {};
  Decoding decoding = Decoding::cached;
};

struct Generated {
  std::vector<int32_t> ids = {};  // without the prompt, with the stop token
  bool stopped = false;           // ended by a stop token or by `ends`
  double log_probability = 0;     // sum over ids, after the rules
  double score = 0;               // sort key of beam search
};

// Returns the texts of each prompt, best first: one, or up to num_beams with beam search. A prompt
// has at least one token. `context` is a new one of phase evaluate, with the layout of the attached
// method's loss statistics. UserError if a text may exceed the model's positions, or the model has
// no language head.
std::vector<std::vector<Generated>> generate(Model& model,
                                             const std::vector<std::vector<int32_t>>& prompts,
                                             const GenerateOptions& options,
                                             ForwardContext& context);

// The two searches used by generate(), on a GenerationState that has not started.
std::vector<Generated> greedy_or_sample(GenerationState& texts,
                                        const std::vector<std::vector<int32_t>>& prompts,
                                        const GenerateOptions& options);
std::vector<std::vector<Generated>> beam_search(GenerationState& texts,
                                                const std::vector<std::vector<int32_t>>& prompts,
                                                const GenerateOptions& options);

}  // namespace mixtune
