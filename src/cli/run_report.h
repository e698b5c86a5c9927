// The last lines that training prints.
#pragma once

#include "train/trainer.h"

namespace mixtune {

// Prints the result table or, after an interruption, how to continue. Returns the exit code.
int report_run(const RunResult& result);

}  // namespace mixtune
