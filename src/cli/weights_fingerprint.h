// A fingerprint of the weights that generate the texts of a job, so that an interrupted job does
// not continue with other weights.
#pragma once

#include <cstdint>

#include "train/run_config.h"

namespace mixtune {

// Depends on every byte of an adapter and, since the files of a model are large, on their names,
// sizes and modification times only.
uint64_t weights_fingerprint(const ModelSettings& model);

}  // namespace mixtune
