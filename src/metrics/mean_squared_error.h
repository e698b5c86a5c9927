// The mean of squared differences between scores and predictions, in squared units of the score.
// NaN if there are none.
#pragma once

#include <span>

namespace mixtune {

double mean_squared_error(std::span<const double> scores, std::span<const double> predictions);

}  // namespace mixtune
