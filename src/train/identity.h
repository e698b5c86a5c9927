// The identity of a run. Resuming with another config, other data, another tokenizer or another
// model would silently give a different run, so the differences are reported.
#pragma once

#include "train/checkpoint.h"
#include "train/session.h"

namespace mixtune {

Identity identity_of(const Session& session);

// One line per difference: "train.learning_rate was 5e-4 and is 1e-3".
std::vector<std::string> differences(const Identity& saved, const Identity& now);

// "0.1.0".
std::string tool_version();

}  // namespace mixtune
