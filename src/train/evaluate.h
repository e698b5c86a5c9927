// Predictions and metrics. Nothing here depends on the order or the batches in which examples are
// evaluated, unless a method lets a whole batch vote. Legend: N examples, C outputs of the head.
#pragma once

#include "train/session.h"

namespace mixtune {

struct ForwardOptions {
  int64_t batch_tokens = 4096;      // an example longer than that is a batch of its own
  RoutingRecord* record = nullptr;  // filled where the method routes
  // Where set, the mean over examples of what the auxiliary losses that count in an evaluation add
  // to their batch's loss.
  double* auxiliary = nullptr;
};

// What the objective says of each sequence, on the CPU, in the order of `examples`: logits [N, C]
// fp32 of a classification head.
Tensor predict_logits(Session& session, const std::vector<EncodedExample>& examples,
                      const ForwardOptions& options = {});

// Labels (largest logit) with the probabilities of all, or, for regression, scores.
Predictions predictions_of(const Tensor& logits, bool is_regression);

// Labels ([N] int64, kIgnoredTarget where not known) or scores ([N] fp32, nan where not known), on
// the CPU.
struct Targets {
  Tensor values;
  int64_t labeled = 0;  // those that are known
};
Targets targets_of(const SequenceRefs& sequences, bool is_regression);

// Mean of the task's loss (without label smoothing) over the labelled examples; nan where there are
// none.
double task_loss(const Tensor& logits, const std::vector<EncodedExample>& examples,
                 bool is_regression);

struct SetEvaluation {
  SetReport report;
  Predictions predictions;  // of the examples
  Tensor logits;            // of the sequences: [N, C]
};
SetEvaluation evaluate_set(Session& session, const EncodedSet& set,
                           const ForwardOptions& options = {});

}  // namespace mixtune
