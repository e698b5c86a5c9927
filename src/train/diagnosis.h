// Where numbers stop being finite: run once, after a step failed.
#pragma once

#include "train/batches.h"
#include "train/session.h"

namespace mixtune {

// Runs the micro-batches once more, in order, and names the first router whose scores, or else the
// first block whose output, is not finite: "the router of model.layers.0.mlp.up_proj"; empty where
// all of them are (the head or the gradients are not).
std::string first_not_finite(Session& session, const StepBatches& batches, RandomKey seed,
                             int64_t step, Reducer& reducer);

}  // namespace mixtune
