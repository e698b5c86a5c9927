#include "metrics/accuracy.h"

#include <limits>

#include "metrics/confusion.h"

namespace mixtune {

double accuracy(std::span<const int64_t> labels, std::span<const int64_t> predictions) {
  const Confusion counts = confusion(labels, predictions);
  if (counts.examples == 0) return std::numeric_limits<double>::quiet_NaN();
  return static_cast<double>(counts.correct) / static_cast<double>(counts.examples);
}

}  // namespace mixtune
