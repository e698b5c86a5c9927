#include "metrics/confusion.h"

#include <map>
#include <string>

#include "base/error.h"

namespace mixtune {

Confusion confusion(std::span<const int64_t> labels, std::span<const int64_t> predictions) {
  MIXTUNE_CHECK(labels.size() == predictions.size(), std::to_string(labels.size()) + " labels, " +
                                                         std::to_string(predictions.size()) +
                                                         " predictions");
  Confusion out;
  std::map<int64_t, ClassCount> counts;
  for (size_t i = 0; i < labels.size(); ++i) {
    ++counts[labels[i]].labeled;
    ++counts[predictions[i]].predicted;
    if (labels[i] != predictions[i]) continue;
    ++counts[labels[i]].hits;
    ++out.correct;
  }
  for (auto& [id, count] : counts) {
    count.id = id;
    out.classes.push_back(count);
  }
  out.examples = static_cast<int64_t>(labels.size());
  return out;
}

}  // namespace mixtune
