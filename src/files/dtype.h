// The element types of safetensors files.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace mixtune {

enum class DType {
  F64,
  F32,
  F16,
  BF16,
  F8_E4M3,
  F8_E5M2,
  F8_E8M0,
  C64,
  I64,
  I32,
  I16,
  I8,
  U64,
  U32,
  U16,
  U8,
  BOOL,
};

size_t dtype_bytes(DType dtype);
std::string_view dtype_name(DType dtype);  // "BF16"

// Nothing for a name that is not known; is_packed_dtype tells those that are known but take less
// than a byte an element, which we do not read.
std::optional<DType> dtype_from_name(std::string_view name);
bool is_packed_dtype(std::string_view name);

}  // namespace mixtune
