// The machine's memory in bytes, as Linux tells it; 0 where it does not.
#pragma once

#include <cstdint>

namespace mixtune {

int64_t total_memory();
int64_t available_memory();  // what programs may still take without swapping

}  // namespace mixtune
