// Matthews' correlation coefficient, the official metric of CoLA, for two classes or more
// (Gorodkin's R_K). It is 0 where the labels or the predictions have a single class, even if all
// are right: there is nothing to correlate. Nan where there are no examples.
#pragma once

#include <cstdint>
#include <span>

namespace mixtune {

double matthews(std::span<const int64_t> labels, std::span<const int64_t> predictions);

}  // namespace mixtune
