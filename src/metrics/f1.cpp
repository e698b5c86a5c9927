#include "metrics/f1.h"

#include <limits>

#include "metrics/confusion.h"

namespace mixtune {
namespace {

double share(int64_t part, int64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

// F1 = 2 TP / (2 TP + FP + FN), and labeled + predicted = 2 TP + FP + FN.
double f1_of(const ClassCount& count) {
  return share(2 * count.hits, count.labeled + count.predicted);
}

}  // namespace

ClassScores class_scores(std::span<const int64_t> labels, std::span<const int64_t> predictions,
                         int64_t positive) {
  for (const ClassCount& count : confusion(labels, predictions).classes)
    if (count.id == positive)
      return {.precision = share(count.hits, count.predicted),
              .recall = share(count.hits, count.labeled),
              .f1 = f1_of(count)};
  return {};
}

AveragedF1 averaged_f1(std::span<const int64_t> labels, std::span<const int64_t> predictions) {
  const Confusion counts = confusion(labels, predictions);
  if (counts.examples == 0) {
    const double nan = std::numeric_limits<double>::quiet_NaN();
    return {.macro = nan, .micro = nan, .weighted = nan};
  }
  AveragedF1 out;
  for (const ClassCount& count : counts.classes) {
    out.macro += f1_of(count);
    out.weighted += f1_of(count) * static_cast<double>(count.labeled);
  }
  out.macro /= static_cast<double>(counts.classes.size());
  out.micro = share(counts.correct, counts.examples);
  out.weighted /= static_cast<double>(counts.examples);
  return out;
}

}  // namespace mixtune
