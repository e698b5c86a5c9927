// Predictions and metrics. Results do not depend on the order or the batches of evaluation, unless
// a method routes whole batches. Legend: N examples, C outputs of the head.
#pragma once

#include "train/session.h"

namespace mixtune {

struct ForwardOptions {
  int64_t batch_tokens = 4096;      // an example longer than that is a batch of its own
  RoutingRecord* record = nullptr;  // filled if the method routes
  // If set, receives the mean over examples of the auxiliary losses with `in_evaluation`.
  double* auxiliary = nullptr;
};

// The objective's outputs for each sequence, on the CPU, in the order of `examples`; for a
// classification head, logits [N, C] fp32.
Tensor predict_logits(Session& session, const std::vector<EncodedExample>& examples,
                      const ForwardOptions& options = {});

// Labels (largest logit) with the probabilities of all labels, or scores for regression.
Predictions predictions_of(const Tensor& logits, bool is_regression);

// Labels ([N] int64, kIgnoredTarget if unknown) or scores ([N] fp32, nan if unknown), on the CPU.
struct Targets {
  Tensor values;
  int64_t labeled = 0;  // number of known targets
};
Targets targets_of(const SequenceRefs& sequences, bool is_regression);

// Mean of the task's loss (without label smoothing) over the labeled examples; nan if there are
// none.
double task_loss(const Tensor& logits, const std::vector<EncodedExample>& examples,
                 bool is_regression);

struct SetEvaluation {
  SetReport report;
  Predictions predictions;  // one per example
  Tensor logits;            // one row per sequence: [N, C]
};
SetEvaluation evaluate_set(Session& session, const EncodedSet& set,
                           const ForwardOptions& options = {});

}  // namespace mixtune
