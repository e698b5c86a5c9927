#include "files/dtype.h"

#include <algorithm>
#include <array>

namespace mixtune {
namespace {

struct Entry {
  DType dtype;
  std::string_view name;
  size_t bytes;
};

// Entries are in the order of the enum.
constexpr std::array<Entry, 17> kTypes{{
    {DType::F64, "F64", 8},
    {DType::F32, "F32", 4},
    {DType::F16, "F16", 2},
    {DType::BF16, "BF16", 2},
    {DType::F8_E4M3, "F8_E4M3", 1},
    {DType::F8_E5M2, "F8_E5M2", 1},
    {DType::F8_E8M0, "F8_E8M0", 1},
    {DType::C64, "C64", 8},
    {DType::I64, "I64", 8},
    {DType::I32, "I32", 4},
    {DType::I16, "I16", 2},
    {DType::I8, "I8", 1},
    {DType::U64, "U64", 8},
    {DType::U32, "U32", 4},
    {DType::U16, "U16", 2},
    {DType::U8, "U8", 1},
    {DType::BOOL, "BOOL", 1},
}};

}  // namespace

size_t dtype_bytes(DType dtype) {
  return kTypes[static_cast<size_t>(dtype)].bytes;
}
std::string_view dtype_name(DType dtype) {
  return kTypes[static_cast<size_t>(dtype)].name;
}

std::optional<DType> dtype_from_name(std::string_view name) {
  for (const Entry& entry : kTypes)
    if (entry.name == name) return entry.dtype;
  return std::nullopt;
}

bool is_packed_dtype(std::string_view name) {
  constexpr std::array<std::string_view, 3> kPacked{"F4", "F6_E2M3", "F6_E3M2"};
  return std::find(kPacked.begin(), kPacked.end(), name) != kPacked.end();
}

}  // namespace mixtune
