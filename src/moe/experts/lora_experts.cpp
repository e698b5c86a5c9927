// Low-rank experts of the linears of a group as two products, whatever their number. The shrink
// product of x computes all A and the routers' scores; each expert's activations are then
// multiplied by its gate; the expand product applies all B. Nothing is gathered and nothing waits
// for the host (except routers that pool). An expert that a token did not select has gate zero, so
// exactly zero gradient. The operator is in expert_product.cpp. Legend: T tokens, D width of x, M
// members, E experts, r their rank.
#include <algorithm>
#include <numeric>

#include "moe/capacity.h"
#include "moe/experts/adapters.h"
#include "moe/experts/expert_product.h"
#include "moe/record.h"
#include "moe/targets.h"

namespace mixtune {
namespace {

class ExpertAdapter final : public GroupAdapter {
 public:
  struct Settings {
    std::vector<int64_t> ranks;  // one per expert
    double scaling;              // of all experts; 1 if `spread` contains their scalings
    double dropout;
    bool mask_for_each_expert;
    Routing routing;
    RouterNoise noise;
    std::optional<int64_t> capacity;
  };

  ExpertAdapter(std::vector<size_t> members, Settings settings)
      : members(std::move(members)), settings_(std::move(settings)) {}

  Tensor forward(const LinearGroup& group, const Tensor& x, const Call& call,
                 MemberRange range) override {
    size_t first = 0, last = members.size();
    while (first < last && members[first] < range.first) ++first;
    while (last > first && members[last - 1] >= range.last) --last;
    if (first == last) return group.base(x, range);
    const auto experts = static_cast<int64_t>(settings_.ranks.size()),
               count = static_cast<int64_t>(last - first);
    const auto plan = plan_of(group, call, range, first, last);
    plan->packed = group.packed_for(x, range);
    const auto [narrow, clean] = shrink_product(x, shrink, plan);  // [T, M E r], [T, M E] or [T, 0]
    const bool trains = call.context.phase == Phase::train;
    const Tensor scores = scores_of(group, x, clean, call, *plan, first);  // [T, M E]
    const Routed routed = route_call(scores, experts, settings_.routing, call,
                                     group.members()[members[first]].name);  // T M rows
    if (first == 0 && last == members.size())
      for (const auto& [router_loss, handle] : router_losses)
        router_loss->accumulate(handle, routed, call.rows, call.context.loss_statistics);
    if (call.context.record) record(group, routed, first, last, *call.context.record);
    Tensor gates = routed.weights.view({-1, count * experts});  // [T, M E]
    // The capacity limits only training: at inference every token uses its experts.
    if (trains && settings_.capacity)
      gates = gates * within_capacity(routed.mask.view({-1, count * experts}), call.rows,
                                      *settings_.capacity);
    return expand_product(
        x, narrow, gates.view({-1, count, experts}).to(x.scalar_type()), group.weight_of(range),
        group.bias_of(range),
        {up.begin() + static_cast<int64_t>(first), up.begin() + static_cast<int64_t>(last)}, plan);
  }

  std::optional<Tensor> merged(const LinearGroup&, size_t) const override { return std::nullopt; }
  bool is_random() const override { return settings_.dropout > 0 || settings_.noise.is_on(); }

  std::vector<size_t> members;  // indices of the group's members with experts
  Tensor shrink;                // [M E r + M E, D]: all A, then the routers if gates are products
  std::vector<std::unique_ptr<Gate>> scores;  // by member; empty if gates are products
  std::vector<Tensor> up;                     // by member: [E r, out]
  Tensor spread;                              // set if ranks differ: see expert_product.h
  std::vector<std::pair<std::shared_ptr<SiteRouterLoss>, size_t>> router_losses;

 private:
  // The scores of the members from `first` on, [T, M E]; `clean` are those of the shrink product,
  // if it computes any. The linears that read x share its jitter; the noise on scores is separate
  // for each.
  Tensor scores_of(const LinearGroup& group, const Tensor& x, const Tensor& clean, const Call& call,
                   const ExpertPlan& plan, size_t first) const {
    const RouterNoise& noise = settings_.noise;
    const bool trains = call.context.phase == Phase::train, jitters = trains && noise.jitter > 0;
    Tensor scores = clean;
    if (jitters || !this->scores.empty()) {
      Tensor read = x.to(shrink.scalar_type());
      if (jitters)
        read = jittered(read, noise.jitter,
                        call.context.mask(1, group.site(), call.path, "router jitter", call.rows));
      scores = this->scores.empty()
                   ? at::linear(read, shrink.narrow(0, plan.routers.begin, plan.routers.count))
                   : scored(read, call, first, plan.columns.size());
    }
    if (!trains || noise.deviation == 0) return scores;
    std::vector<Tensor> parts;
    for (size_t i = 0; i < plan.columns.size(); ++i)
      parts.push_back(
          noisy(scores.narrow(1, static_cast<int64_t>(i) * plan.experts(), plan.experts()),
                noise.deviation,
                call.context.mask(1, group.members()[members[first + i]].name, call.path,
                                  "router noise", call.rows)));
    return at::cat(parts, 1);
  }

  // The scores of gates that are not products, [T, M E].
  Tensor scored(const Tensor& read, const Call& call, size_t first, size_t count) const {
    std::vector<Tensor> parts;
    for (size_t m = first; m < first + count; ++m)
      parts.push_back(scores[m]->forward(read, call.rows));  // [T, E]
    return at::cat(parts, 1);
  }

  c10::intrusive_ptr<ExpertPlan> plan_of(const LinearGroup& group, const Call& call,
                                         MemberRange range, size_t first, size_t last) const {
    auto plan = c10::make_intrusive<ExpertPlan>();
    const auto e = static_cast<int64_t>(settings_.ranks.size());
    const auto begin = static_cast<int64_t>(first), count = static_cast<int64_t>(last - first);
    plan->ranks = settings_.ranks;
    plan->spread = spread;
    plan->scaling = settings_.scaling;
    const int64_t width = plan->width();
    plan->down = {begin * width, count * width};
    plan->routers = {static_cast<int64_t>(members.size()) * width, 0};
    if (scores.empty()) plan->routers = {plan->routers.begin + begin * e, count * e};
    const bool masks = settings_.mask_for_each_expert && settings_.dropout > 0 &&
                       call.context.phase == Phase::train;
    for (size_t i = first; i < last; ++i) {
      const Member& member = group.members()[members[i]];
      plan->columns.push_back(
          {member.begin - group.first_column(range), member.end - member.begin});
      for (int64_t n = 0; masks && n < e; ++n)
        plan->masks.push_back(call.context.mask(settings_.dropout, member.name, call.path,
                                                "expert " + std::to_string(n), call.rows));
    }
    if (!masks)
      plan->mask =
          call.context.mask(settings_.dropout, group.site(), call.path, "experts", call.rows);
    return plan;
  }

  void record(const LinearGroup& group, const Routed& routed, size_t first, size_t last,
              RoutingRecord& out) const {
    const auto count = static_cast<int64_t>(last - first);
    const Tensor tokens = at::arange(routed.mask.size(0) / count,
                                     at::TensorOptions(at::kLong).device(routed.mask.device()));
    for (int64_t i = 0; i < count; ++i)
      record_routing(group.members()[members[first + static_cast<size_t>(i)]].name,
                     routed.of_tokens(tokens * count + i), out);
  }

  Settings settings_;
};

// "8", or "2, 4, 8" if ranks differ.
std::string ranks_text(const std::vector<int64_t>& ranks) {
  std::string out = std::to_string(ranks[0]);
  if (std::equal(ranks.begin() + 1, ranks.end(), ranks.begin())) return out;
  for (size_t e = 1; e < ranks.size(); ++e) out += ", " + std::to_string(ranks[e]);
  return out;
}

// The linears of one group that get experts.
struct ExpertGroup {
  LinearGroup& group;
  std::vector<size_t> members;
  std::vector<int64_t> ranks;  // one per expert
  at::TensorOptions options;   // of the trained tensors
  bool has_products;           // whether gates are products

  int64_t count() const { return static_cast<int64_t>(ranks.size()); }
  const Member& member(size_t i) const { return group.members()[members[i]]; }
  std::string expert(size_t i, size_t e) const {
    return member(i).name + ".experts." + std::to_string(e);
  }
};

// The initial shrink matrix and its names: all A, then the routers if gates are products.
std::pair<Tensor, std::vector<Segment>> initial_shrink(const RoutedExperts& adapter,
                                                       const ExpertGroup& of, RandomKey seed) {
  const int64_t in = of.group.in(), count = of.count();
  const bool is_meta = of.group.weight.is_meta();
  std::vector<Tensor> values;
  std::vector<Segment> segments;
  for (size_t i = 0; i < of.members.size(); ++i)
    for (size_t e = 0; e < of.ranks.size(); ++e) {
      const std::string name = of.expert(i, e) + ".lora_A.weight";
      const int64_t r = of.ranks[e];
      values.push_back(is_meta
                           ? at::empty({r, in}, of.options)
                           : initial_lora_a(r, in, adapter.starts_gaussian, derive(seed, name)));
      segments.push_back({name, "adapter", {r, in}});
    }
  for (size_t i = 0; of.has_products && i < of.members.size(); ++i) {
    const std::string name = of.member(i).name + ".router.weight";
    values.push_back(is_meta ? at::empty({count, in}, of.options)
                             : adapter.first_router(count, in, derive(seed, name)));
    segments.push_back({name, "router", {count, in}});
  }
  return {at::cat(values, 0).to(of.options), std::move(segments)};
}

// The names of all B of a member.
std::vector<Segment> segments_up(const ExpertGroup& of, size_t member) {
  const int64_t out = of.member(member).end - of.member(member).begin;
  std::vector<Segment> segments;
  for (size_t e = 0; e < of.ranks.size(); ++e) {
    segments.push_back({.name = of.expert(member, e) + ".lora_B.weight",
                        .group = "adapter",
                        .shape = {out, of.ranks[e]}});
    segments.back().transposed = true;
  }
  return segments;
}

}  // namespace

std::vector<int64_t> LoraExperts::ranks_at(int64_t layer) const {
  const int64_t count = experts.at(layer);
  if (expert_ranks.empty()) return std::vector<int64_t>(count, ranks.at(layer));
  return {expert_ranks.begin(), expert_ranks.begin() + count};
}

void LoraExperts::check_ranks() const {
  if (expert_ranks.empty()) return;
  const int64_t most = *std::max_element(experts.begin(), experts.end());
  if (static_cast<int64_t>(expert_ranks.size()) != most)
    throw UserError(method + ".expert_ranks",
                    "has " + std::to_string(expert_ranks.size()) +
                        " numbers; the layer with most experts has " + std::to_string(most),
                    "Give a rank for each of its experts; layers with fewer use the first ones.");
}

Tensor LoraExperts::spread_of(const std::vector<int64_t>& of_expert,
                              const at::TensorOptions& options) const {
  std::vector<Tensor> columns;
  for (size_t e = 0; e < of_expert.size(); ++e) {
    const Tensor part = at::zeros({static_cast<int64_t>(of_expert.size()), of_expert[e]}, options);
    part.select(0, static_cast<int64_t>(e)).fill_(scaling(of_expert[e]));
    columns.push_back(part);
  }
  return at::cat(columns, 1);
}

void LoraExperts::attach(const AdapterSpec& spec, Sites& sites, Attachment& attachment) const {
  MIXTUNE_CHECK(spec.routing.has_value(), "experts need a routing");
  check_choice(spec.sites, sites, method);
  const SiteRouterLosses router_losses = site_router_losses(spec.losses, method);
  check_layers(sites);
  check_ranks();
  for (LinearGroup* group : sites.groups) {
    const std::vector<size_t> members = selected_members(*group, spec.sites);
    if (members.empty()) continue;
    if (group->adapter)
      throw UserError(
          method,
          "another update already adapts linear layers with the same input as " + group->site(),
          "Name them all in target_modules, or all in attention.target_modules.");
    const Routing routing =
        spec.routing->of_layer(group->layer(), static_cast<int64_t>(experts.size()), method);
    // Trained weights are at least fp32, whatever the type of the model is.
    at::TensorOptions options = group->weight.options();
    if (at::isReducedFloatingType(group->weight.scalar_type())) options = options.dtype(at::kFloat);
    const ExpertGroup of{*group, members, ranks_at(group->layer()), options,
                         is_product(routing.gate)};
    const int64_t in = group->in(), count = of.count();
    routing.check(count, method);
    const bool is_even = std::equal(of.ranks.begin() + 1, of.ranks.end(), of.ranks.begin());
    auto adapter = std::make_shared<ExpertAdapter>(
        members, ExpertAdapter::Settings{of.ranks, is_even ? scaling(of.ranks[0]) : 1, dropout,
                                         mask_for_each_expert, routing, noise, capacity});
    const int64_t width = std::accumulate(of.ranks.begin(), of.ranks.end(), int64_t{0});
    if (!is_even) adapter->spread = spread_of(of.ranks, options);
    std::vector<Segment> shrink_segments;
    std::tie(adapter->shrink, shrink_segments) = initial_shrink(*this, of, attachment.seed);
    attachment.trainables.add(&adapter->shrink, std::move(shrink_segments));
    // Leaves are registered by address, so the vector must not grow afterwards.
    adapter->up.resize(members.size());
    for (size_t i = 0; i < members.size(); ++i) {
      const Member& member = of.member(i);
      const int64_t out = member.end - member.begin;
      adapter->up[i] = at::zeros({width, out}, options);
      attachment.trainables.add(&adapter->up[i], segments_up(of, i));
      int64_t of_router = count * in;
      if (!of.has_products) {
        adapter->scores.push_back(attach_gate(routing.gate,
                                              {in, count, sites.initializer_range, options},
                                              member.name + ".router", attachment));
        of_router = adapter->scores.back()->numel();
      }
      attachment.note(member.name,
                      std::to_string(count) + " experts of rank " + ranks_text(of.ranks),
                      width * (in + out) + of_router);
    }
    for (const auto& router_loss : router_losses)
      adapter->router_losses.emplace_back(
          router_loss, router_loss->add_sites(static_cast<int64_t>(members.size()), count,
                                              group->layer(), attachment.loss_statistics));
    group->adapter = adapter;
  }
  finish(*spec.routing, router_losses, sites, attachment);
}

}  // namespace mixtune
