#include "moe/layers/blend.h"

namespace mixtune {

Tensor pulled(const Tensor& own, const Tensor& borrowed, const GatePull& pull,
              const SequenceLayout& out) {
  // A gate that did not run has no gradient; the value is the borrowed output in any case.
  if (pull.kind == GateGradient::none || !pull.gate.scores.defined()) return borrowed;
  const Tensor choice = at::tensor(pull.choice).to(own.device()).unsqueeze(1);  // [S, 1]
  const Tensor chosen = choice.narrow(0, 0, pull.pooled_tokens.units());        // [U, 1]
  if (pull.kind == GateGradient::probability) {
    // (p_j / stop(p_j)) u_j
    const Tensor p = pull.pooled_tokens.means(pull.gate.probabilities).gather(1, chosen);  // [U, 1]
    return borrowed * pull.pooled_tokens.to_rows(p / p.detach(), out);
  }
  // u_j + (c - stop(c)) (u_j - u_t), c = sigmoid(s_j - s_t)
  const Tensor s = pull.pooled_tokens.means(pull.gate.scores);                        // [U, L]
  const Tensor c = at::sigmoid(s.gather(1, chosen) - s.narrow(1, pull.position, 1));  // [U, 1]
  return borrowed + pull.pooled_tokens.to_rows(c - c.detach(), out) * (borrowed - own);
}

Tensor blended(const Tensor& own, const Tensor& borrowed, const Blend& blend,
               const Tensor& own_weight, const Tensor& other_weight) {
  if (!blend.learned) return at::add(own * blend.own, borrowed, blend.other);
  if (blend.raw) return own * own_weight + borrowed * other_weight;
  const Tensor weights = at::softmax(at::cat({own_weight, other_weight}), 0);  // [2]
  return own * weights[0] + borrowed * weights[1];
}

}  // namespace mixtune
