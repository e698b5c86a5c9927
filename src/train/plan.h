// Converts a session's settings to steps, learning rates and groups, for training and the
// preflight.
#pragma once

#include "train/batches.h"
#include "train/optimizer.h"
#include "train/schedule.h"
#include "train/session.h"

namespace mixtune {

BatchPlan batch_plan(const Session& session);
int64_t total_steps(const TrainSettings& train, const BatchPlan& plan);
Schedule schedule_of(const TrainSettings& train, int64_t total_steps);

// The settings of the run, with the method's settings of its own groups.
AdamWOptions optimizer_options(const TrainSettings& train, const Attachment& attachment);

// The peak resident size of this process in bytes; 0 if the system does not report it.
int64_t peak_memory();

}  // namespace mixtune
