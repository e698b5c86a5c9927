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

// Nothing for an unknown name. is_packed_dtype is true for known types with less than one byte per
// element, which are not supported.
std::optional<DType> dtype_from_name(std::string_view name);
bool is_packed_dtype(std::string_view name);

}  // namespace mixtune
