#include "metrics/pearson.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "base/error.h"

namespace mixtune {
namespace {

bool is_constant(std::span<const double> values) {
  return std::all_of(values.begin(), values.end(), [&](double v) { return v == values.front(); });
}

// Values minus their mean. The mean is rounded to a double before it is subtracted, as in scipy:
// for vectors that are constant except for rounding noise the result depends on it.
std::vector<double> centered(std::span<const double> values) {
  long double sum = 0;
  for (const double value : values) sum += value;
  const auto mean = static_cast<double>(sum / static_cast<long double>(values.size()));
  std::vector<double> out;
  for (const double value : values) out.push_back(value - mean);
  return out;
}

}  // namespace

double pearson(std::span<const double> x, std::span<const double> y) {
  MIXTUNE_CHECK(x.size() == y.size(),
                std::to_string(x.size()) + " and " + std::to_string(y.size()) + " values");
  if (x.size() < 2 || is_constant(x) || is_constant(y))
    return std::numeric_limits<double>::quiet_NaN();
  const std::vector<double> dx = centered(x), dy = centered(y);
  long double xy = 0, xx = 0, yy = 0;
  for (size_t i = 0; i < dx.size(); ++i) {
    xy += static_cast<long double>(dx[i]) * dy[i];
    xx += static_cast<long double>(dx[i]) * dx[i];
    yy += static_cast<long double>(dy[i]) * dy[i];
  }
  const auto r = static_cast<double>(xy / (std::sqrt(xx) * std::sqrt(yy)));
  return std::isnan(r) ? r : std::clamp(r, -1.0, 1.0);
}

}  // namespace mixtune
