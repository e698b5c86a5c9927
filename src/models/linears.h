// Linear groups used by the layers of all models: a group of one linear, and the member ranges of
// the group that computes query, key and value.
#pragma once

#include "nn/linear_group.h"

namespace mixtune {

// Members of the group that computes query, key and value.
inline constexpr MemberRange kQuery{0, 1}, kKeyValue{1, 3};

// A group of one linear from width `in` to width `out`.
inline LinearGroup single(Role role, std::string name, int64_t in, int64_t out, int64_t number,
                          const at::TensorOptions& options) {
  return LinearGroup({{role, std::move(name), 0, out}}, in, number, options);
}

}  // namespace mixtune
