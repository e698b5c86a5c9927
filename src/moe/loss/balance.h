// Load-balancing loss of a site, in two halves: `measure` adds sums inside the graph, `formula`
// reads them.
#pragma once

#include "moe/adapter_spec.h"

namespace mixtune {

// E * sum_i f_i P_i, with f_i the share of decisions that went to expert i and P_i the mean
// probability over tokens (Switch Transformer; MoLEx evaluates it for each mixed block alone). With
// one decision for the batch it is E * P_j.
class BalanceLoss {
 public:
  BalanceLoss(int64_t experts, LossStatistics& layout);

  // probabilities [T, E], in the graph; choice: one for each unit. Unmeasured without tokens.
  void accumulate(const Tensor& probabilities, const std::vector<int64_t>& choice,
                  LossStatistics& table) const;
  // A scalar.
  Tensor finalize(const LossStatistics& table, Reducer& reducer) const;

 private:
  int64_t experts_, site_;
};

}  // namespace mixtune
