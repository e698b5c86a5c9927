// The scores of the E2E challenge: BLEU and NIST on the words of mteval-v13a, ROUGE-L, CIDEr and
// METEOR on those of coco-caption, chrF on the text. docs/metrics.md names the implementation that
// each of them reproduces.
#pragma once

#include <span>
#include <vector>

#include "metrics/chrf.h"
#include "tasks/task.h"

namespace mixtune {

struct E2eScores {
  // bleu, nist, rouge_l, cider, meteor, chrf, in this order. chrF ranges from 0 to
  // 100; the others are scaled as in their papers.
  std::vector<MetricValue> metrics;
  // The same metrics and sent_bleu for each segment, as e2e-metrics reports them; filled for
  // E2eDetail::segments.
  std::vector<std::vector<MetricValue>> segments;
};

enum class E2eDetail { system, segments };

// A segment without references counts as one with an empty reference: it scores 0 and is
// excluded from the sums of chrF.
E2eScores score_e2e(std::span<const TextSegment> segments, E2eDetail detail);

}  // namespace mixtune
