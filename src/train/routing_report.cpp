#include "train/routing_report.h"

#include <fmt/format.h>

namespace mixtune {

std::vector<std::pair<std::string, Tensor>> routing_tensors(const RoutingRecord& record) {
  std::vector<std::pair<std::string, Tensor>> out;
  if (record.choices.defined()) out.emplace_back("choices", record.choices);
  if (record.choices.defined() && !record.entropy.empty()) {
    std::vector<double> means(record.entropy.size());  // nats per token
    for (size_t t = 0; t < means.size(); ++t)
      means[t] =
          record.tokens[t] > 0 ? record.entropy[t] / static_cast<double>(record.tokens[t]) : 0;
    out.emplace_back("entropy", at::tensor(means, at::kFloat));
    out.emplace_back("tokens", at::tensor(record.tokens));
  }
  for (const auto& [site, counts] : record.experts) {
    const auto tokens = static_cast<double>(std::max<int64_t>(counts.tokens, 1));
    out.emplace_back(site + ".load", counts.load);
    out.emplace_back(site + ".routing",
                     at::tensor({static_cast<double>(counts.tokens), counts.entropy / tokens,
                                 static_cast<double>(counts.all_experts) / tokens},
                                at::kDouble));
  }
  return out;
}

std::string routing_line(const RoutingRecord& record) {
  double used = 0, experts = 0, entropy = 0, all_experts = 0, tokens = 0;
  for (const auto& [site, counts] : record.experts) {
    const auto count = static_cast<double>(counts.tokens);
    used += counts.load.sum().item<double>();
    experts += count * static_cast<double>(counts.load.numel());
    entropy += counts.entropy;
    all_experts += static_cast<double>(counts.all_experts);
    tokens += count;
  }
  if (tokens == 0) return "";
  std::string out = fmt::format("experts: {:.2f} of {:.3g} a token, entropy {:.2f}", used / tokens,
                                experts / tokens, entropy / tokens);
  if (all_experts > 0)
    out += fmt::format(", {:.0f} % of tokens sent to all", 100 * all_experts / tokens);
  return out;
}

}  // namespace mixtune
