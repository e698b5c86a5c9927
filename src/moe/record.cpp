#include "moe/record.h"

namespace molt {

void record_routing(const std::string& site, const Routed& routed, RoutingRecord& record) {
  const at::NoGradGuard no_grad;
  ExpertRecord& r = record.experts[site];
  const Tensor load = routed.mask.sum(0).to(at::kCPU, at::kDouble);  // [E]
  r.load = r.load.defined() ? r.load + load : load;
  r.tokens += routed.mask.size(0);
  if (routed.probabilities.size(1) > 1)
    r.entropy +=
        Entropy{Entropy::Kind::shannon, 1, 1e-30}.of(routed.probabilities).sum().item<double>();
  if (routed.everything.defined()) r.everything += routed.everything.sum().item<int64_t>();
}

}  // namespace molt
