// Base of the selections that take the most probable experts within a probability budget, with a
// minimum number; and the check of a number of experts. Legend: T tokens, E experts.
#pragma once

#include "moe/selection/selection.h"

namespace mixtune {

// UserError if a selection requires `count` experts and a layer has fewer.
inline void check_enough(int64_t count, int64_t experts, const std::string& where) {
  if (count <= experts) return;
  throw UserError(where,
                  "selects " + std::to_string(count) + " experts per token; a layer has " +
                      std::to_string(experts),
                  "Select fewer, or use more experts.");
}

class Budget : public Selection {
 public:
  Budget(double p, int64_t keep) : p_(p), keep_(keep) {}

  Tensor mask(const Tensor& probabilities) const override {
    // The sum of all probabilities may exceed 1 because of rounding.
    if (p_ >= 1) return at::ones_like(probabilities.detach());
    const Ranked r = ranked(probabilities);
    const Tensor sums = at::cumsum(r.probabilities, 1);  // [T, E]
    const Tensor in = within(sums, r.probabilities, static_cast<float>(p_));
    const Tensor kept = first_ranks(probabilities.size(1), keep_, r.probabilities.options());
    return r.back(at::maximum(in.to(r.probabilities.options()), kept));
  }
  void check(int64_t experts, const std::string& where) const override {
    check_enough(keep_, experts, where);
  }

  bool needs_shares() const override { return true; }

 protected:
  // The ranks within the budget: bool [T, E], from the sums up to each rank and its own
  // probability.
  virtual Tensor within(const Tensor& sums, const Tensor& own, float p) const = 0;

 private:
  double p_;
  int64_t keep_;
};

}  // namespace mixtune
