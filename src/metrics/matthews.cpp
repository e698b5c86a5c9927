#include "metrics/matthews.h"

#include <cmath>
#include <limits>

#include "metrics/confusion.h"

namespace mixtune {

// Gorodkin 2004: with n examples, c of them correct, t_k labels and p_k predictions of class k,
//   R_K = (c n - sum_k t_k p_k) / sqrt((n^2 - sum_k t_k^2) (n^2 - sum_k p_k^2)).
// For two classes it is the usual (TP TN - FP FN) / sqrt(...).
double matthews(std::span<const int64_t> labels, std::span<const int64_t> predictions) {
  const Confusion counts = confusion(labels, predictions);
  if (counts.examples == 0) return std::numeric_limits<double>::quiet_NaN();
  // In integers, so that a denominator of 0 is detected exactly.
  const int64_t n = counts.examples;
  int64_t covariance = counts.correct * n, label_spread = n * n, prediction_spread = n * n;
  for (const ClassCount& k : counts.classes) {
    covariance -= k.labeled * k.predicted;
    label_spread -= k.labeled * k.labeled;
    prediction_spread -= k.predicted * k.predicted;
  }
  if (label_spread == 0 || prediction_spread == 0) return 0;
  return static_cast<double>(covariance) /
         std::sqrt(static_cast<double>(label_spread) * static_cast<double>(prediction_spread));
}

}  // namespace mixtune
