#include "base/memory.h"

#include <cstdlib>
#include <fstream>
#include <string>

namespace mixtune {
namespace {

int64_t memory_line(const std::string& key) {
  std::ifstream file("/proc/meminfo");
  for (std::string line; std::getline(file, line);)
    if (line.starts_with(key)) return std::atoll(line.c_str() + key.size()) * 1024;  // from KiB
  return 0;
}

}  // namespace

int64_t total_memory() {
  return memory_line("MemTotal:");
}

int64_t available_memory() {
  return memory_line("MemAvailable:");
}

}  // namespace mixtune
