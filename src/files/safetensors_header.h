// The JSON header of a safetensors file, parsed and validated against the size of the buffer.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "files/safetensors.h"

namespace mixtune {

struct SafetensorsHeader {
  std::vector<TensorInfo> tensors;
  std::map<std::string, std::string> metadata;
};

// `where` names the file in errors.
SafetensorsHeader parse_safetensors_header(std::string_view json, uint64_t buffer_bytes,
                                           const std::string& where);

}  // namespace mixtune
