// Routers that pool by prompt, or by the first tokens of a text that has none: these tokens choose
// the blocks (MoLEx) or the experts that all of the text runs through. What they choose depends on
// each of them, so a loss or a score on one of them would be of a model that has seen it.
#pragma once

#include "methods/method.h"
#include "tasks/encoded.h"

namespace mixtune {

// So many tokens at the start of a text without a prompt vote; 0 where none of them decides.
int64_t routing_tokens(const std::vector<AdapterSpec>& specs);

// Takes prompts, and the first `voters` tokens of texts without one, out of what is supervised, and
// texts of which nothing is left out of the set, with a note of both. Nothing where `voters` is 0.
void leave_routing_tokens_out(EncodedExamples& encoded, int64_t pooled_tokens);

}  // namespace mixtune
