// What the selections share that take the most probable experts up to a share of probability, and
// always some of them; and the check of a number of experts. Legend: T tokens, E experts.
#pragma once

#include "moe/selection/selection.h"

namespace mixtune {

// UserError where a selection that asks for `count` experts has too few.
inline void check_enough(int64_t count, int64_t experts, const std::string& where) {
  if (count <= experts) return;
  throw UserError(where,
                  "asks for " + std::to_string(count) + " experts for each token; a layer has " +
                      std::to_string(experts),
                  "Ask for fewer, or give it more.");
}

class Budget : public Selection {
 public:
  Budget(double p, int64_t keep) : p_(p), keep_(keep) {}

  Tensor mask(const Tensor& probabilities) const override {
    // The sum of all may exceed 1 by rounding.
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
  // Which ranks the budget holds: bool [T, E] from sums up to each rank and its own probability.
  virtual Tensor within(const Tensor& sums, const Tensor& own, float p) const = 0;

 private:
  double p_;
  int64_t keep_;
};

}  // namespace mixtune
