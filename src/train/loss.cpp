#include "train/loss.h"

#include <ATen/core/Reduction.h>

namespace mixtune {

Tensor cross_entropy_sum(const Tensor& logits, const Tensor& targets, double smoothing) {
  MIXTUNE_CHECK(logits.dim() == 2 && targets.dim() == 1 && logits.size(0) == targets.size(0),
                shape_text(logits) + " and " + shape_text(targets));
  return at::cross_entropy_loss(logits, targets, {}, at::Reduction::Sum, kIgnoredTarget, smoothing);
}

Tensor squared_error_sum(const Tensor& predictions, const Tensor& targets) {
  MIXTUNE_CHECK(predictions.dim() == 1 && predictions.sizes() == targets.sizes(),
                shape_text(predictions) + " and " + shape_text(targets));
  return at::mse_loss(predictions, targets, at::Reduction::Sum);
}

}  // namespace mixtune
