// Texts of one batch that grow token by token: prompts of different lengths run packed, then one
// new token of each text a step, beside the keys and values that stand. Legend: S texts, V
// vocabulary.
#pragma once

#include "models/decoder.h"

namespace mixtune {

// `recompute` runs every text from its start at each step: what decoding must equal. It is taken
// anyway where keys of old tokens change with the length (rotary positions of kind dynamic).
// `averaged`, compatibility: the cache of the released MoLEx (nn/decode_state.h).
enum class Decoding { cached, recompute, averaged };

// UserError where the averaged cache is asked for and old keys change within `longest` tokens, or
// routers of experts pool.
void check_decoding(DecoderModel& model, Decoding decoding, int64_t longest);
// Whether check_decoding lets the averaged cache be.
bool can_average(DecoderModel& model, int64_t longest);

class GenerationState {
 public:
  // Of `context`: phase evaluate; it belongs to these texts. `longest`: tokens, of any text when it
  // ends; `context.numbers`, where set, are those of the prompts. UserError as of check_decoding.
  GenerationState(DecoderModel& model, ForwardContext& context, Decoding decoding, int64_t longest);
  ~GenerationState();

  // The logits behind each prompt, which has at least one token: [S, V] float, on the host.
  Tensor start(const std::vector<std::vector<int32_t>>& prompts);
  // Text i becomes the old text parents[i] with tokens[i] behind it; the others are forgotten.
  Tensor step(const std::vector<int64_t>& parents, const std::vector<int32_t>& tokens);

  int64_t size() const { return static_cast<int64_t>(texts_.size()); }
  const std::vector<int32_t>& ids(int64_t text) const { return texts_[text].ids; }
  int64_t prompt(int64_t text) const { return texts_[text].prompt; }

 private:
  struct Text {
    std::vector<int32_t> ids;
    int64_t prompt;
  };
  Tensor run(int64_t last_tokens);  // of each text; 0: all

  DecoderModel& model_;
  ForwardContext& context_;
  bool is_cached_;
  DecodeState state_;
  std::vector<Text> texts_;
};

}  // namespace mixtune
