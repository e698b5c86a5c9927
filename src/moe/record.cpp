#include "moe/record.h"

namespace mixtune {

void record_routing(const std::string& site, const Routed& routed, RoutingRecord& record) {
  const at::NoGradGuard no_grad;
  ExpertRecord& r = record.experts[site];
  const Tensor load = routed.mask.sum(0).to(at::kCPU, at::kDouble);  // [E]
  r.load = r.load.defined() ? r.load + load : load;
  r.tokens += routed.mask.size(0);
  const Tensor& p = routed.probabilities;
  if (p.size(1) > 1)  // divided by the sum, since sigmoid scores do not sum to one
    r.entropy +=
        Entropy{Entropy::Kind::shannon, 1, 1e-30}.of(p / p.sum(1, true)).sum().item<double>();
  if (routed.all_experts.defined()) r.all_experts += routed.all_experts.sum().item<int64_t>();
}

}  // namespace mixtune
