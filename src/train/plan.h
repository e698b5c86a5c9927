// What a session's settings mean in steps, rates and groups: shared by training and the preflight.
#pragma once

#include "train/batches.h"
#include "train/optimizer.h"
#include "train/schedule.h"
#include "train/session.h"

namespace mixtune {

BatchPlan batch_plan(const Session& session);
int64_t total_steps(const TrainSettings& train, const BatchPlan& plan);
Schedule schedule_of(const TrainSettings& train, int64_t total_steps);

// The settings of the run, with what the method says of its own groups.
AdamWOptions optimizer_options(const TrainSettings& train, const Attachment& attachment);

// The peak resident size of this process in bytes; 0 where the system does not tell.
int64_t peak_memory();

}  // namespace mixtune
