// The fraction of predictions that equal their label. NaN if there are none.
#pragma once

#include <cstdint>
#include <span>

namespace mixtune {

double accuracy(std::span<const int64_t> labels, std::span<const int64_t> predictions);

}  // namespace mixtune
