// Matthews' correlation coefficient, the official metric of CoLA, for two classes or more
// (Gorodkin's R_K). It is 0 if the labels or the predictions have a single class, even if all are
// correct. NaN if there are no examples.
#pragma once

#include <cstdint>
#include <span>

namespace mixtune {

double matthews(std::span<const int64_t> labels, std::span<const int64_t> predictions);

}  // namespace mixtune
