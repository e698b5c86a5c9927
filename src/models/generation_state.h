// The sequences of one batch during generation: prompts of different lengths run packed, then each
// step runs one new token per sequence with the key-value cache. Legend: S sequences, V vocabulary.
#pragma once

#include "models/decoder.h"

namespace mixtune {

// `recompute` runs every sequence from its start at each step, as the reference for `cached`. It is
// also used if keys change with the length (dynamic rotary positions). `averaged` is the cache of
// the authors' MoLEx code (nn/key_value_cache.h).
enum class Decoding { cached, recompute, averaged };

// UserError if `decoding` is averaged, and keys change within `longest` tokens or expert routers
// pool tokens.
void check_decoding(DecoderModel& model, Decoding decoding, int64_t longest);
// Whether check_decoding accepts the averaged cache.
bool can_average(DecoderModel& model, int64_t longest);

class GenerationState {
 public:
  // `context` is of phase evaluate and used for these sequences only; its `sequence_ids`, if set,
  // are those of the prompts. `longest` is the maximum length of a sequence in tokens. UserError as
  // in check_decoding.
  GenerationState(DecoderModel& model, ForwardContext& context, Decoding decoding, int64_t longest);
  ~GenerationState();

  // The logits after each prompt, which has at least one token: [S, V] float, on the CPU.
  Tensor start(const std::vector<std::vector<int32_t>>& prompts);
  // Sequence i becomes the old sequence parents[i] followed by tokens[i]; the others are dropped.
  Tensor step(const std::vector<int64_t>& parents, const std::vector<int32_t>& tokens);

  int64_t size() const { return static_cast<int64_t>(texts_.size()); }
  const std::vector<int32_t>& ids(int64_t text) const { return texts_[text].ids; }
  int64_t prompt(int64_t text) const { return texts_[text].prompt; }

 private:
  struct Text {
    std::vector<int32_t> ids;
    int64_t prompt;
  };
  Tensor run(int64_t last_tokens);  // number of last tokens per sequence; 0: all

  DecoderModel& model_;
  ForwardContext& context_;
  bool is_cached_;
  KeyValueCache state_;
  std::vector<Text> texts_;
};

}  // namespace mixtune
