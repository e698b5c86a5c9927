// How a run ends in the terminal.
#pragma once

#include "train/trainer.h"

namespace mixtune {

// The result table, or how to go on; the exit code.
int report_run(const RunResult& result);

}  // namespace mixtune
