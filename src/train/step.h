// The gradients of one optimizer step: each micro-batch runs a forward and a backward pass into the
// flat gradient buffer. The task's loss is divided by the units of the whole step (sequences or
// supervised tokens), so gradient and loss equal those of the large batch. Auxiliary losses are
// means over the micro-batches.
#pragma once

#include "train/batches.h"
#include "train/session.h"

namespace mixtune {

struct StepOptions {
  RandomKey seed = 0;
  int64_t step = 0;  // from 1; part of the random keys of dropout
  double label_smoothing = 0;
  RoutingRecord* record = nullptr;  // filled if the method routes; synchronizes with the device
};

struct StepLosses {
  double task = 0;         // mean over units
  NamedNumbers auxiliary;  // unweighted
  int64_t sequences = 0, tokens = 0, units = 0;
};

// Replaces the gradients of `session.attachment->trainables`.
StepLosses accumulate_gradients(Session& session, const StepBatches& batches,
                                const StepOptions& options, Reducer& reducer);

}  // namespace mixtune
