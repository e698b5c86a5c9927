// The JSON objects of events.jsonl for a step, an evaluation and routing (docs/training.md, "The
// run folder").
#pragma once

#include "base/json.h"
#include "nn/context.h"
#include "train/training_callback.h"

namespace mixtune {

Json step_event(const StepReport& report);
Json evaluation_event(const EvaluationReport& report);

// The tensors of routing_report.h as lists by name; `phase` is "train" or "evaluate". Empty if the
// method does not route.
Json routing_event(const RoutingRecord& record, int64_t step, const char* phase);

}  // namespace mixtune
