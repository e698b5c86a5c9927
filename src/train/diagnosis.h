// Finds the first part of a model whose output is not finite. It runs only after a step failed, so
// it may be slow.
#pragma once

#include "train/batches.h"
#include "train/session.h"

namespace mixtune {

// Runs the micro-batches again, in order, and names the first router or layer whose output is not
// finite: "the router of model.layers.0.mlp.up_proj". Empty if all of them are finite, in which
// case the head or the gradients are not.
std::string first_not_finite(Session& session, const StepBatches& batches, RandomKey seed,
                             int64_t step, Reducer& reducer);

}  // namespace mixtune
