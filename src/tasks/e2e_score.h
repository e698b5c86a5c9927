// The scores of the E2E challenge: BLEU and NIST on the words of mteval-v13a, ROUGE-L, CIDEr and
// METEOR on those of coco-caption, chrF on the text. docs/metrics.md says which implementation each
// of them equals.
#pragma once

#include <span>
#include <vector>

#include "metrics/chrf.h"
#include "tasks/task.h"

namespace mixtune {

struct E2eScores {
  // bleu, nist, rouge_l, cider, meteor, chrf, in this order. chrf from 0 to 100, the others as
  // their papers have them.
  std::vector<MetricValue> metrics;
  // For each segment the same ones and sent_bleu, as e2e-metrics reports segments; where asked for.
  std::vector<std::vector<MetricValue>> segments;
};

enum class E2eDetail { system, segments };

// A segment without references counts as one with an empty reference: it scores 0, and the sums of
// chrf do not have it.
E2eScores score_e2e(std::span<const TextSegment> segments, E2eDetail detail);

}  // namespace mixtune
