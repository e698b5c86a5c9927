#include "moe/merge.h"

#include "base/error.h"

namespace mixtune {
namespace {

[[noreturn]] void reject(const std::string& site) {
  throw UserError(site, "has an adapter that depends on the input, so no weight can replace it",
                  "Keep the adapter beside the model.");
}

// Computes all members before it writes any: an update of several members reads all their weights.
void merge_group(LinearGroup& group) {
  std::vector<Tensor> weights;
  std::vector<std::optional<Tensor>> biases;
  for (size_t m = 0; m < group.members().size(); ++m) {
    weights.push_back(group.adapter->merged(group, m).value());
    biases.push_back(group.adapter->merged_bias(group, m));
  }
  for (size_t m = 0; m < group.members().size(); ++m) {
    const Member& member = group.members()[m];
    group.weight.narrow(0, member.begin, member.end - member.begin).copy_(weights[m]);
    if (!biases[m]) continue;
    if (!group.bias.defined())
      group.bias = at::zeros({group.weight.size(0)}, group.weight.options());
    group.bias.narrow(0, member.begin, member.end - member.begin).copy_(*biases[m]);
  }
  group.adapter = nullptr;
}

}  // namespace

std::optional<std::string> first_unmergeable(const Sites& sites) {
  const at::NoGradGuard no_grad;
  if (sites.stack && sites.stack->adapter) return "the layer stack";
  for (const FeedForward* feed_forward : sites.feed_forwards)
    if (feed_forward->adapter) return feed_forward->up.site();
  for (const ResidualAdd* end : sites.outputs)
    if (end->adapter) return end->path();
  for (const LinearGroup* group : sites.groups)
    for (size_t m = 0; group->adapter && m < group->members().size(); ++m)
      if (!group->adapter->merged(*group, m)) return group->members()[m].name;
  return std::nullopt;
}

void merge_adapters(Sites& sites) {
  const at::NoGradGuard no_grad;
  if (const auto site = first_unmergeable(sites)) reject(*site);
  for (LinearGroup* group : sites.groups)
    if (group->adapter) merge_group(*group);
}

}  // namespace mixtune
