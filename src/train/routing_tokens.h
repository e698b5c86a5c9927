// Routers with scope prompt pool the tokens of the prompt, or the first tokens of a sequence
// without a prompt. These tokens determine the layers (MoLEx) or experts for the whole sequence. A
// loss or metric on one of them would leak, since the routing already depends on it.
#pragma once

#include "methods/method.h"
#include "tasks/encoded.h"

namespace mixtune {

// The number of tokens at the start of a sequence without a prompt that determine its routing; 0 if
// no router has scope prompt.
int64_t routing_tokens(const std::vector<AdapterSpec>& specs);

// Makes prompts, and the first `pooled_tokens` tokens of sequences without one, unsupervised;
// removes sequences without other supervised tokens, and adds a note of both. Does nothing if
// `pooled_tokens` is 0.
void exclude_routing_tokens(EncodedExamples& encoded, int64_t pooled_tokens);

}  // namespace mixtune
