// Load-balancing loss of a mixed layer, in two steps: `accumulate` adds sums inside the graph,
// `finalize` computes the loss from them.
#pragma once

#include "moe/adapter_spec.h"

namespace mixtune {

// E * sum_i f_i P_i, with f_i the fraction of decisions for expert i and P_i its mean probability
// over tokens (Switch Transformer; MoLEx computes it for each mixed layer separately). With one
// decision for the batch it is E * P_j.
class BalanceLoss {
 public:
  BalanceLoss(int64_t experts, LossStatistics& layout);

  // probabilities [T, E], in the graph; choice: one per decision.
  void accumulate(const Tensor& probabilities, const std::vector<int64_t>& choice,
                  LossStatistics& table) const;
  // A scalar.
  Tensor finalize(const LossStatistics& table, Reducer& reducer) const;

 private:
  int64_t experts_, site_;
};

}  // namespace mixtune
