// The memory of the machine in bytes, from /proc/meminfo; 0 if that is not available.
#pragma once

#include <cstdint>

namespace mixtune {

int64_t total_memory();
int64_t available_memory();  // can be allocated without swapping

}  // namespace mixtune
