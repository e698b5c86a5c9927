#include "moe/capacity.h"

namespace mixtune {

Tensor within_capacity(const Tensor& mask, const SequenceLayout& rows, int64_t capacity) {
  MIXTUNE_CHECK(mask.size(0) == rows.tokens(), shape_text(mask));
  const at::NoGradGuard no_grad;
  std::vector<Tensor> kept;
  for (int64_t s = 0; s < rows.sequences(); ++s) {
    const Tensor own = mask.narrow(0, rows.offsets[s], rows.length(s));
    kept.push_back(own * (at::cumsum(own, 0) <= static_cast<double>(capacity)));
  }
  return kept.empty() ? mask : at::cat(kept, 0);  // [T, E]
}

}  // namespace mixtune
