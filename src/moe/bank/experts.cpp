// Low-rank experts of the linears of a group as two products, whatever their number: all A stand in
// one matrix, so x is read and kept once for the group; between the products each expert's thin
// activations are multiplied with its gate. Nothing is gathered, nothing waits for the host, and an
// expert that a token did not choose has gate zero, so exactly zero gradient from it. Legend: T
// tokens, D width of x, O columns of the range, R sum of the ranks in the range, E experts.
#include <cmath>

#include "moe/bank/banks.h"
#include "moe/loss/objective.h"
#include "moe/targets.h"

namespace molt {
namespace {

// One member with experts inside a range: where its columns and its rows of A stand.
struct Slice {
  int64_t column, columns, row, experts, rank;
  double scaling;
  int64_t rows() const { return experts * rank; }
};

struct Plan : torch::CustomClassHolder {
  std::vector<Slice> slices;
  DropoutMask mask;                             // of the group
  std::vector<std::vector<DropoutMask>> masks;  // by slice and expert, in place of it
};

// thin [T, E r] times gates [T, E], each gate over the ranks of its expert.
Tensor gated(const Tensor& thin, const Tensor& gates, const Slice& s) {
  return (thin.reshape({-1, s.experts, s.rank}) * gates.unsqueeze(2)).view({-1, s.rows()});
}

// up [E, O, r] to one matrix [O, E r].
Tensor side_by_side(const Tensor& up, const Slice& s) {
  return up.permute({1, 0, 2}).reshape({s.columns, s.rows()});
}

class StackedExperts : public torch::autograd::Function<StackedExperts> {
 public:
  // parts: for each slice the gates [T, E], then up [E, O, r].
  static Tensor forward(AutogradContext* ctx, const Tensor& x, const Tensor& weight,
                        const std::optional<Tensor>& bias, const Tensor& down, at::TensorList parts,
                        const c10::intrusive_ptr<Plan>& plan) {
    Tensor y = at::linear(x, weight, bias);      // [T, O]
    const Tensor thin = shrink(x, down, *plan);  // [T, R]
    for (size_t i = 0; i < plan->slices.size(); ++i) {
      const Slice& s = plan->slices[i];
      const Tensor inner = gated(thin.narrow(1, s.row, s.rows()), parts[2 * i], s);
      y.narrow(1, s.column, s.columns)
          .addmm_(inner, side_by_side(parts[2 * i + 1], s).t(), 1, s.scaling);
    }
    variable_list saved = {x, weight, down, thin};
    saved.insert(saved.end(), parts.begin(), parts.end());
    ctx->save_for_backward(std::move(saved));
    ctx->saved_data["plan"] = c10::IValue::make_capsule(plan);
    ctx->saved_data["biased"] = bias.has_value();
    return y;
  }

  static variable_list backward(AutogradContext* ctx, variable_list gradients) {
    const auto saved = ctx->get_saved_variables();
    const Tensor &x = saved[0], &weight = saved[1], &down = saved[2], &thin = saved[3];
    const auto capsule = ctx->saved_data["plan"].toCapsule();
    const Plan& plan = static_cast<const Plan&>(*capsule);
    const Tensor dy = gradients[0].contiguous();  // [T, O]
    const Tensor d_thin = at::empty_like(thin);   // [T, R]
    variable_list d_parts;
    for (size_t i = 0; i < plan.slices.size(); ++i) {
      const Slice& s = plan.slices[i];
      const Tensor &gates = saved[4 + 2 * i], &up = saved[5 + 2 * i];
      const Tensor d_part = dy.narrow(1, s.column, s.columns);
      const Tensor thin_part = thin.narrow(1, s.row, s.rows());
      const Tensor d_inner = at::mm(d_part, side_by_side(up, s)).mul_(s.scaling);  // [T, E r]
      const Tensor split = d_inner.view({-1, s.experts, s.rank});
      d_parts.push_back(
          (split * thin_part.reshape({-1, s.experts, s.rank})).sum(2));  // of the gates
      d_parts.push_back((at::mm(d_part.t(), gated(thin_part, gates, s)) * s.scaling)
                            .view({s.columns, s.experts, s.rank})
                            .permute({1, 0, 2})
                            .contiguous());  // of up
      d_thin.narrow(1, s.row, s.rows()).copy_(gated(d_inner, gates, s));
    }
    variable_list out(4);
    if (ctx->needs_input_grad(0)) out[0] = grow(at::mm(dy, weight), d_thin, down, plan);  // [T, D]
    if (ctx->needs_input_grad(1)) out[1] = at::mm(dy.t(), x);
    if (ctx->saved_data["biased"].toBool() && ctx->needs_input_grad(2)) out[2] = dy.sum(0);
    out[3] = down_gradient(x, d_thin, plan);  // [R, D]
    out.insert(out.end(), d_parts.begin(), d_parts.end());
    out.emplace_back();  // the plan
    return out;
  }

 private:
  // A of every expert on the dropped x: [T, R].
  static Tensor shrink(const Tensor& x, const Tensor& down, const Plan& plan) {
    if (plan.masks.empty()) return at::mm(apply_mask(x, plan.mask), down.t());
    Tensor out = at::empty({x.size(0), down.size(0)}, x.options());
    for_experts(plan, [&](int64_t row, int64_t rank, const DropoutMask& mask) {
      out.narrow(1, row, rank).copy_(at::mm(apply_mask(x, mask), down.narrow(0, row, rank).t()));
    });
    return out;
  }

  // dx plus what comes back through A.
  static Tensor grow(Tensor dx, const Tensor& d_thin, const Tensor& down, const Plan& plan) {
    if (plan.masks.empty()) {
      if (!plan.mask.active()) return dx.addmm_(d_thin, down);
      return apply_mask_add(at::mm(d_thin, down), dx, plan.mask);
    }
    for_experts(plan, [&](int64_t row, int64_t rank, const DropoutMask& mask) {
      dx = apply_mask_add(at::mm(d_thin.narrow(1, row, rank), down.narrow(0, row, rank)), dx, mask);
    });
    return dx;
  }

  static Tensor down_gradient(const Tensor& x, const Tensor& d_thin, const Plan& plan) {
    if (plan.masks.empty()) return at::mm(d_thin.t(), apply_mask(x, plan.mask));
    Tensor out = at::empty({d_thin.size(1), x.size(1)}, x.options());
    for_experts(plan, [&](int64_t row, int64_t rank, const DropoutMask& mask) {
      out.narrow(0, row, rank).copy_(at::mm(d_thin.narrow(1, row, rank).t(), apply_mask(x, mask)));
    });
    return out;
  }

  template <class Body>
  static void for_experts(const Plan& plan, const Body& body) {
    for (size_t i = 0; i < plan.slices.size(); ++i)
      for (int64_t e = 0; e < plan.slices[i].experts; ++e)
        body(plan.slices[i].row + e * plan.slices[i].rank, plan.slices[i].rank, plan.masks[i][e]);
  }
};

class ExpertAdapter final : public GroupAdapter {
 public:
  struct Entry {
    size_t member;
    int64_t row, experts, rank;  // row: of `down`
    int64_t router_row;
    double scaling;
    Tensor up;        // [E, out, r]
    size_t site = 0;  // in the objectives
  };

  ExpertAdapter(Tensor down, Tensor routers, std::vector<Entry> entries, const Routing& routing,
                double dropout, bool mask_for_each_expert,
                std::shared_ptr<std::vector<SiteObjective>> objectives)
      : down(std::move(down)),
        routers(std::move(routers)),
        entries(std::move(entries)),
        routing_(routing),
        dropout_(dropout),
        mask_for_each_expert_(mask_for_each_expert),
        objectives_(std::move(objectives)) {}

  Tensor forward(const LinearGroup& group, const Tensor& x, const Call& call,
                 MemberRange range) override {
    const auto plan = c10::make_intrusive<Plan>();
    std::vector<const Entry*> used;
    for (const Entry& entry : entries)
      if (entry.member >= range.first && entry.member < range.last) used.push_back(&entry);
    if (used.empty()) return group.base(x, range);
    const Entry &first = *used.front(), &last = *used.back();
    const int64_t routers_begin = first.router_row,
                  routers_count = last.router_row + last.experts - routers_begin;
    // One product for the routers of the range; in fp32 whatever x is.
    const Tensor scores =
        at::linear(x.to(routers.scalar_type()), routers.narrow(0, routers_begin, routers_count));
    std::vector<Tensor> parts;
    for (const Entry* entry : used) {
      const Member& member = group.members()[entry->member];
      plan->slices.push_back({member.begin - group.first_column(range), member.end - member.begin,
                              entry->row - first.row, entry->experts, entry->rank, entry->scaling});
      const Tensor logits =
          scores.narrow(1, entry->router_row - routers_begin, entry->experts);  // [T, E]
      Routed routed = route(at::softmax(logits, 1), routing_);
      routed.logits = logits;
      for (SiteObjective& objective : *objectives_)
        objective.measure(entry->site, routed, call.context.measures);
      if (call.context.record) record(member.name, routed, *call.context.record);
      parts.push_back(routed.weights.to(x.scalar_type()));
      parts.push_back(entry->up);
      if (mask_for_each_expert_ && dropout_ > 0 && call.context.phase == Phase::train) {
        plan->masks.emplace_back();
        for (int64_t e = 0; e < entry->experts; ++e)
          plan->masks.back().push_back(call.context.mask(dropout_, member.name, call.path,
                                                         "expert " + std::to_string(e), call.rows));
      }
    }
    if (plan->masks.empty())
      plan->mask = call.context.mask(dropout_, group.site(), call.path, "experts", call.rows);
    const int64_t rows = last.row + last.experts * last.rank - first.row;
    return StackedExperts::apply(x, group.weight_of(range), group.bias_of(range),
                                 down.narrow(0, first.row, rows), at::TensorList(parts), plan);
  }

  std::optional<Tensor> merged(const LinearGroup&, size_t) const override { return std::nullopt; }
  bool is_random() const override { return dropout_ > 0; }

  Tensor down;     // [R, D]: the members' experts in order
  Tensor routers;  // [sum E, D]
  std::vector<Entry> entries;

 private:
  static void record(const std::string& site, const Routed& routed, RoutingRecord& out) {
    const at::NoGradGuard no_grad;
    ExpertRecord& r = out.experts[site];
    const Tensor load = routed.mask.sum(0).to(at::kCPU, at::kDouble);
    r.load = r.load.defined() ? r.load + load : load;
    r.tokens += routed.mask.size(0);
    if (routed.probabilities.size(1) > 1)
      r.entropy +=
          Entropy{Entropy::Kind::shannon, 1, 1e-30}.of(routed.probabilities).sum().item<double>();
    if (routed.everything.defined()) r.everything += routed.everything.sum().item<int64_t>();
  }

  Routing routing_;
  double dropout_;
  bool mask_for_each_expert_;
  std::shared_ptr<std::vector<SiteObjective>> objectives_;
};

int64_t of_layer(const std::vector<int64_t>& values, int64_t layer, int64_t layers,
                 const std::string& where) {
  if (values.size() == 1) return values[0];
  if (static_cast<int64_t>(values.size()) != layers)
    throw UserError(where,
                    "has " + std::to_string(values.size()) + " numbers; the model has " +
                        std::to_string(layers) + " layers",
                    "Give one number, or one for each layer.");
  return values[static_cast<size_t>(layer)];
}

}  // namespace

void ExpertBank::attach(const Sentence& sentence, Sites& sites, Attachment& attachment) const {
  MOLT_CHECK(sentence.routing.has_value(), "experts need a routing");
  check_choice(sentence.sites, sites, method);
  auto objectives = std::make_shared<std::vector<SiteObjective>>();
  for (const Choice& loss : sentence.losses)
    if (dynamic_cast<const ObjectiveConfig&>(*loss.config).weight > 0)
      objectives->emplace_back(loss);
  size_t site = 0;
  for (LinearGroup* group : sites.groups) {
    const std::vector<size_t> members = selected_members(*group, sentence.sites);
    if (members.empty()) continue;
    MOLT_CHECK(!group->adapter, "two adapters at " + group->site());
    const int64_t layers = sites.stack->size(), in = group->in();
    const int64_t count = of_layer(experts, group->block(), layers, method + ".experts");
    const int64_t rank = of_layer(ranks, group->block(), layers, method + ".rank");
    sentence.routing->check(count, method);
    const double scaling = alpha / (rank_stabilised ? std::sqrt(static_cast<double>(rank))
                                                    : static_cast<double>(rank));
    const auto in_width = static_cast<double>(in);
    const double bound = 1 / std::sqrt(in_width);
    const double router_bound = std::sqrt(6 / ((1 + router_range) * in_width));
    std::vector<ExpertAdapter::Entry> entries;
    std::vector<Tensor> downs, routers;
    std::vector<Segment> down_segments, router_segments;
    for (size_t i = 0; i < members.size(); ++i) {
      const Member& member = group->members()[members[i]];
      const int64_t out = member.end - member.begin, n = static_cast<int64_t>(i);
      for (int64_t e = 0; e < count; ++e) {
        const std::string name = member.name + ".experts." + std::to_string(e) + ".lora_A.weight";
        downs.push_back(uniform_tensor({rank, in}, -bound, bound, derive(attachment.seed, name)));
        down_segments.push_back({name, "adapter", {rank, in}});
      }
      const std::string name = member.name + ".router.weight";
      const RandomKey key = derive(attachment.seed, name);
      routers.push_back(router_deviation
                            ? normal_tensor({count, in}, *router_deviation, key)
                            : uniform_tensor({count, in}, -router_bound, router_bound, key));
      router_segments.push_back({name, "router", {count, in}});
      entries.push_back({.member = members[i],
                         .row = n * count * rank,
                         .experts = count,
                         .rank = rank,
                         .router_row = n * count,
                         .scaling = scaling,
                         .up = at::zeros({count, out, rank}, group->weight.options()),
                         .site = site++});
      for (SiteObjective& objective : *objectives) objective.add_site(count, attachment.measures);
      attachment.note(member.name,
                      std::to_string(count) + " experts of rank " + std::to_string(rank),
                      count * (rank * (in + out) + in));
    }
    auto adapter = std::make_shared<ExpertAdapter>(
        at::cat(downs, 0).to(group->weight.options()),
        at::cat(routers, 0).to(group->weight.options().dtype(at::kFloat)), std::move(entries),
        *sentence.routing, dropout, mask_for_each_expert, objectives);
    attachment.trainables.add(&adapter->down, std::move(down_segments));
    attachment.trainables.add(&adapter->routers, std::move(router_segments));
    for (auto& entry : adapter->entries) {
      const Member& member = group->members()[entry.member];
      std::vector<Segment> segments;
      for (int64_t e = 0; e < count; ++e)
        segments.push_back({member.name + ".experts." + std::to_string(e) + ".lora_B.weight",
                            "adapter",
                            {member.end - member.begin, rank}});
      attachment.trainables.add(&entry.up, std::move(segments));
    }
    group->adapter = adapter;
  }
  for (size_t i = 0; i < objectives->size(); ++i)
    attachment.losses.push_back({(*objectives)[i].name(), (*objectives)[i].weight(),
                                 [objectives, i](const MeasureTable& table, Reducer& reducer) {
                                   return (*objectives)[i].formula(table, reducer);
                                 }});
}

}  // namespace molt
