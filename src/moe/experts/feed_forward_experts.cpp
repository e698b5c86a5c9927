// Feed-forward experts (MixLoRA, arXiv 2404.15159): one router per layer reads the input of the
// feed-forward; each expert is the feed-forward with its own low-rank updates on each linear,
// around the shared base weights. sum_e w_e expert_e(x) replaces the base output; with weights that
// sum to one it equals the base output while the updates are zero. Legend: T tokens, D width, E
// experts.
#include <algorithm>

#include "moe/capacity.h"
#include "moe/experts/adapters.h"
#include "moe/experts/feed_forward_node.h"
#include "moe/noise.h"
#include "moe/record.h"
#include "moe/targets.h"

namespace mixtune {
namespace {

class ExpertFeedForward final : public FeedForwardAdapter {
 public:
  Tensor forward(FeedForward& base, const Tensor& x, const Call& call) override {
    const bool trains = call.context.phase == Phase::train;
    Tensor read = x.to(first_of_router().scalar_type());
    const RouterNoise& noise = adapter.noise;
    if (trains && noise.jitter > 0) read = jittered(read, noise.jitter, draw(1, call, "router"));
    Tensor logits = gate ? gate->forward(read, call.rows) : at::linear(read, router);  // [T, E]
    if (trains && noise.deviation > 0)
      logits = noisy(logits, noise.deviation, draw(1, call, "router noise"));
    const Routed routed = route_call(logits, logits.size(1), routing, call, name);
    for (const auto& [router_loss, handle] : router_losses)
      router_loss->accumulate(handle, routed, call.rows, call.context.loss_statistics);
    if (call.context.record) record_routing(name, routed, *call.context.record);
    Tensor mask = routed.mask;
    // The capacity limits only training: at inference every token uses its experts.
    if (trains && adapter.capacity) mask = within_capacity(mask, call.rows, *adapter.capacity);
    const auto plan = c10::make_intrusive<FeedForwardPlan>();
    plan->base = &base;
    plan->pairs = pairs_of(mask);
    plan->mask = draw(adapter.dropout, call, "experts");
    plan->inner_mask = draw(adapter.dropout, call, "experts inner");
    const Tensor weights = (routed.weights * mask).to(x.scalar_type());  // [T, E]
    const Tensor y = feed_forward_experts(x, weights, experts, plan);    // [T, D]
    if (!trains || !adapter.capacity) return y;
    // Tokens beyond the capacity pass x through, with the weight of the expert.
    const Tensor passed = (routed.weights * (routed.mask - mask)).sum(1, true);  // [T, 1]
    return y + passed.to(x.scalar_type()) * x;
  }

  bool is_random() const override { return adapter.dropout > 0 || adapter.noise.is_on(); }

  std::string name;
  FeedForwardExperts adapter;
  Routing routing;
  Tensor router;               // [E, D], if the gate is a product
  std::unique_ptr<Gate> gate;  // otherwise
  Tensor first_of_router() const { return gate ? *gate->tensors().front().second : router; }
  FeedForwardExpertWeights experts;
  std::vector<std::pair<std::shared_ptr<SiteRouterLoss>, size_t>> router_losses;

 private:
  // The dropout mask of a call for `purpose`.
  DropoutMask draw(double probability, const Call& call, const std::string& purpose) const {
    return call.context.mask(probability, name, call.path, purpose, call.rows);
  }
};

// The path of the module that contains the linears of a feed-forward.
std::string module_of(const FeedForward& base) {
  const std::string &up = base.up.site(), &down = base.down.site();
  const auto differ = std::mismatch(up.begin(), up.end(), down.begin(), down.end()).first;
  const std::string common(up.begin(), differ);
  return common.substr(0, common.rfind('.'));
}

bool is_selected(const AdapterSpec& spec, int64_t layer) {
  const auto& layers = spec.sites.layers;
  return !layers || std::find(layers->begin(), layers->end(), layer) != layers->end();
}

// Appends names and initial values of the A of one linear's experts.
void add_down(const RoutedExperts& adapter, const Member& member, int64_t experts, int64_t rank,
              int64_t in, RandomKey seed, std::vector<Tensor>& values,
              std::vector<Segment>& segments) {
  for (int64_t e = 0; e < experts; ++e) {
    const std::string name = member.name + ".experts." + std::to_string(e) + ".lora_A.weight";
    values.push_back(initial_lora_a(rank, in, adapter.starts_gaussian, derive(seed, name)));
    segments.push_back({name, "adapter", {rank, in}});
  }
}

std::vector<Segment> up_segments(const Member& member, int64_t experts, int64_t rank) {
  std::vector<Segment> out;
  for (int64_t e = 0; e < experts; ++e)
    out.push_back({member.name + ".experts." + std::to_string(e) + ".lora_B.weight",
                   "adapter",
                   {member.end - member.begin, rank}});
  return out;
}

}  // namespace

void FeedForwardExperts::attach(const AdapterSpec& spec, Sites& sites,
                                Attachment& attachment) const {
  MIXTUNE_CHECK(spec.routing.has_value(), "experts need a routing");
  check_layers(sites);
  if (sites.feed_forwards.empty())
    throw UserError(method, "requires feed-forward layers; the model has none",
                    "Choose another method.");
  check_layer_choice(spec.sites, sites, method);
  const SiteRouterLosses router_losses = site_router_losses(spec.losses, method);
  for (FeedForward* base : sites.feed_forwards) {
    if (!is_selected(spec, base->up.layer())) continue;
    MIXTUNE_CHECK(!base->adapter, "two adapters at " + base->up.site());
    if (base->up.adapter || base->down.adapter)
      throw UserError(method, "another update already adapts a linear layer of " + module_of(*base),
                      "Leave the linear layers of the feed-forward to the experts.");
    const at::TensorOptions options = base->up.weight.options();
    const int64_t in = base->up.in(), inner = base->down.in(), out = base->down.weight.size(0);
    const int64_t count = experts.at(base->up.layer()), rank = ranks.at(base->up.layer());
    const Routing routing =
        spec.routing->of_layer(base->up.layer(), static_cast<int64_t>(experts.size()), method);
    routing.check(count, method);
    auto adapter = std::make_shared<ExpertFeedForward>();
    adapter->name = module_of(*base);
    adapter->adapter = *this;
    adapter->routing = routing;
    for (const auto& router_loss : router_losses)
      adapter->router_losses.emplace_back(
          router_loss,
          router_loss->add_sites(1, count, base->up.layer(), attachment.loss_statistics));

    std::vector<Tensor> in_downs, out_downs;
    std::vector<Segment> in_segments, out_segments;
    for (const Member& member : base->up.members())
      add_down(*this, member, count, rank, in, attachment.seed, in_downs, in_segments);
    const Member& down = base->down.members().front();
    add_down(*this, down, count, rank, inner, attachment.seed, out_downs, out_segments);
    FeedForwardExpertWeights& own = adapter->experts;
    own = {.rank = rank,
           .scaling = scaling(rank),
           .in_down = at::cat(in_downs, 0).to(options),
           .in_up = {},
           .out_down = at::cat(out_downs, 0).to(options),
           .out_up = at::zeros({count, out, rank}, options)};
    for (size_t m = 0; m < base->up.members().size(); ++m)
      own.in_up.push_back(at::zeros({count, inner, rank}, options));

    attachment.trainables.add(&own.in_down, std::move(in_segments));
    for (size_t m = 0; m < own.in_up.size(); ++m)
      attachment.trainables.add(&own.in_up[m], up_segments(base->up.members()[m], count, rank));
    attachment.trainables.add(&own.out_down, std::move(out_segments));
    attachment.trainables.add(&own.out_up, up_segments(down, count, rank));
    const std::string router = adapter->name + ".router";
    const at::TensorOptions in_float = options.dtype(at::kFloat);
    int64_t of_router = count * in;
    if (is_product(routing.gate)) {
      const std::string weight = router + ".weight";
      adapter->router = first_router(count, in, derive(attachment.seed, weight)).to(in_float);
      attachment.train(&adapter->router, weight, "router", true);
    } else {
      adapter->gate = attach_gate(routing.gate, {in, count, sites.initializer_range, in_float},
                                  router, attachment);
      of_router = adapter->gate->numel();
    }
    const auto linears = static_cast<int64_t>(own.in_up.size());
    attachment.note(adapter->name,
                    std::to_string(count) + " feed-forwards of rank " + std::to_string(rank),
                    count * rank * ((linears + 1) * inner + linears * in + out) + of_router);
    base->adapter = adapter;
  }
  finish(*spec.routing, router_losses, sites, attachment);
}

}  // namespace mixtune
