// Which weights write the texts of a job, as one number: an interrupted one must not go on with
// others.
#pragma once

#include <cstdint>

#include "train/run_config.h"

namespace mixtune {

// Of an adapter, every byte; of a model, whose files are large, their names, sizes and times of
// change.
uint64_t weights_mark(const ModelSettings& model);

}  // namespace mixtune
