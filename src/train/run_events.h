// What events.jsonl says of a step, of an evaluation and of routing (docs/training.md, "The run
// folder"): one object each.
#pragma once

#include "base/json.h"
#include "nn/context.h"
#include "train/training_callback.h"

namespace mixtune {

Json step_event(const StepReport& report);
Json evaluation_event(const EvaluationReport& report);

// The tensors of routing_report.h as lists by name, of `phase` "train" or "evaluate". Empty where
// nothing routed.
Json routing_event(const RoutingRecord& record, int64_t step, const char* phase);

}  // namespace mixtune
