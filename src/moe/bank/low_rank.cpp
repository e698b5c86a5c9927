// Low-rank updates (LoRA, Hu et al. 2021) on the members of a linear group: all A stand in one
// matrix, so x is read once for everything thin. Group and update are one autograd node. Legend: T
// tokens, D width of x, O columns of the range, R sum of the ranks in the range.
#include <cmath>

#include "moe/bank/banks.h"
#include "moe/targets.h"

namespace molt {
namespace {

// One adapted member inside a range: where its columns and its rows of A stand.
struct Slice {
  int64_t column, columns, row, rank;
  double scaling;
};

struct Plan : torch::CustomClassHolder {
  std::vector<Slice> slices;
  DropoutMask mask;
};

class LowRankLinear : public torch::autograd::Function<LowRankLinear> {
 public:
  static Tensor forward(AutogradContext* ctx, const Tensor& x, const Tensor& weight,
                        const std::optional<Tensor>& bias, const Tensor& down, at::TensorList up,
                        const c10::intrusive_ptr<Plan>& plan) {
    Tensor y = at::linear(x, weight, bias);                           // [T, O]
    const Tensor thin = at::mm(apply_mask(x, plan->mask), down.t());  // [T, R]
    for (size_t i = 0; i < plan->slices.size(); ++i) {
      const Slice& s = plan->slices[i];
      y.narrow(1, s.column, s.columns)
          .addmm_(thin.narrow(1, s.row, s.rank), up[i].t(), 1, s.scaling);
    }
    variable_list saved = {x, weight, down, thin};
    saved.insert(saved.end(), up.begin(), up.end());
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
    variable_list out(4);
    variable_list d_up;
    for (size_t i = 0; i < plan.slices.size(); ++i) {
      const Slice& s = plan.slices[i];
      const Tensor d_part = dy.narrow(1, s.column, s.columns);
      d_thin.narrow(1, s.row, s.rank).addmm_(d_part, saved[4 + i], 0, s.scaling);
      d_up.push_back(at::mm(d_part.t(), thin.narrow(1, s.row, s.rank)) * s.scaling);
    }
    if (ctx->needs_input_grad(0)) {
      out[0] = at::mm(dy, weight);  // [T, D]
      if (plan.mask.active())
        out[0] = apply_mask_add(at::mm(d_thin, down), out[0], plan.mask);
      else
        out[0].addmm_(d_thin, down);
    }
    if (ctx->needs_input_grad(1)) out[1] = at::mm(dy.t(), x);
    if (ctx->saved_data["biased"].toBool() && ctx->needs_input_grad(2)) out[2] = dy.sum(0);
    out[3] = at::mm(d_thin.t(), apply_mask(x, plan.mask));  // [R, D]
    out.insert(out.end(), d_up.begin(), d_up.end());
    out.emplace_back();  // the plan
    return out;
  }
};

class LowRankAdapter final : public GroupAdapter {
 public:
  struct Entry {
    size_t member;
    int64_t row, rank;
    double scaling;
    Tensor up;  // [out, rank]
  };

  LowRankAdapter(Tensor down, std::vector<Entry> entries, double dropout)
      : down(std::move(down)), entries(std::move(entries)), dropout_(dropout) {}

  Tensor forward(const LinearGroup& group, const Tensor& x, const Call& call,
                 MemberRange range) override {
    const auto plan = c10::make_intrusive<Plan>();
    std::vector<Tensor> up;
    int64_t first_row = -1, rows = 0;
    for (const Entry& entry : entries) {
      if (entry.member < range.first || entry.member >= range.last) continue;
      const Member& member = group.members()[entry.member];
      if (first_row < 0) first_row = entry.row;
      plan->slices.push_back({member.begin - group.first_column(range), member.end - member.begin,
                              entry.row - first_row, entry.rank, entry.scaling});
      up.push_back(entry.up);
      rows += entry.rank;
    }
    if (up.empty()) return group.base(x, range);
    plan->mask = call.context.mask(dropout_, group.site(), call.path, "lora", call.rows);
    return LowRankLinear::apply(x, group.weight_of(range), group.bias_of(range),
                                down.narrow(0, first_row, rows), at::TensorList(up), plan);
  }

  std::optional<Tensor> merged(const LinearGroup& group, size_t member) const override {
    const Member& m = group.members()[member];
    Tensor weight = group.weight.detach().narrow(0, m.begin, m.end - m.begin).clone();
    for (const Entry& entry : entries)
      if (entry.member == member)
        weight.addmm_(entry.up.detach(), down.detach().narrow(0, entry.row, entry.rank), 1,
                      entry.scaling);
    return weight;
  }

  bool is_random() const override { return dropout_ > 0; }

  Tensor down;  // [R, D], the members' A in order
  std::vector<Entry> entries;

 private:
  double dropout_;
};

template <class Value>
Value pattern_value(const std::map<std::string, Value>& pattern, const std::string& path,
                    Value fallback) {
  for (const auto& [key, value] : pattern)
    if (pattern_key_matches(key, path)) return value;
  return fallback;
}

}  // namespace

void LowRankBank::attach(const Sentence& sentence, Sites& sites, Attachment& attachment) const {
  check_choice(sentence.sites, sites, "lora");
  for (LinearGroup* group : sites.groups) {
    const std::vector<size_t> members = selected_members(*group, sentence.sites);
    if (members.empty()) continue;
    MOLT_CHECK(!group->adapter, "two adapters at " + group->site());
    std::vector<LowRankAdapter::Entry> entries;
    std::vector<Tensor> downs;
    int64_t rows = 0;
    for (const size_t m : members) {
      const Member& member = group->members()[m];
      const int64_t r = pattern_value(rank_pattern, member.name, rank);
      const double a = pattern_value(alpha_pattern, member.name, alpha);
      const double scaling = a / (rank_stabilised ? std::sqrt(double(r)) : double(r));
      // A: Kaiming-uniform with a = sqrt(5), that is U(-1/sqrt(in), 1/sqrt(in)); B: zero.
      const double bound = 1 / std::sqrt(static_cast<double>(group->in()));
      downs.push_back(uniform_tensor({r, group->in()}, -bound, bound,
                                     derive(attachment.seed, member.name + ".lora_A")));
      entries.push_back({m, rows, r, scaling,
                         at::zeros({member.end - member.begin, r}, group->weight.options())});
      rows += r;
      attachment.note(member.name, "low rank " + std::to_string(r),
                      r * (group->in() + member.end - member.begin));
    }
    auto adapter = std::make_shared<LowRankAdapter>(at::cat(downs, 0).to(group->weight.options()),
                                                    std::move(entries), dropout);
    std::vector<Segment> segments;
    for (const auto& entry : adapter->entries)
      segments.push_back({group->members()[entry.member].name + ".lora_A.weight",
                          "adapter",
                          {entry.rank, group->in()}});
    attachment.trainables.add(&adapter->down, std::move(segments));
    for (auto& entry : adapter->entries)
      attachment.train(&entry.up, group->members()[entry.member].name + ".lora_B.weight", "adapter",
                       true);
    group->adapter = adapter;
  }
}

}  // namespace molt
