#include "metrics/mean_squared_error.h"

#include <limits>
#include <string>

#include "base/error.h"

namespace mixtune {

double mean_squared_error(std::span<const double> scores, std::span<const double> predictions) {
  MIXTUNE_CHECK(scores.size() == predictions.size(), std::to_string(scores.size()) + " scores, " +
                                                         std::to_string(predictions.size()) +
                                                         " predictions");
  if (scores.empty()) return std::numeric_limits<double>::quiet_NaN();
  double sum = 0;
  for (size_t i = 0; i < scores.size(); ++i)
    sum += (scores[i] - predictions[i]) * (scores[i] - predictions[i]);
  return sum / static_cast<double>(scores.size());
}

}  // namespace mixtune
