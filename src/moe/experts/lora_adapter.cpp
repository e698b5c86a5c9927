// Low-rank updates (LoRA, Hu et al. 2021) on the members of a linear group. All A are stored in one
// matrix, so one shrink product reads x once. With magnitudes, length and direction of each weight
// row are trained separately (DoRA, arXiv 2402.09353). Legend: T tokens, D width of x, O columns, R
// sum of the ranks.
#include <algorithm>
#include <cmath>

#include "moe/experts/adapters.h"
#include "moe/experts/low_rank_node.h"
#include "moe/targets.h"

namespace mixtune {
namespace {

// An adapted module of a group: one member, or the whole group.
struct Entry {
  std::string name;
  int64_t begin, end;  // columns of the group's output
  int64_t row, rank;   // first row in `down`, and the rank
  double scaling;
  Tensor up;         // [out, rank]
  Tensor bias;       // [out] replaces the base bias; undefined: the base bias is used
  Tensor up_bias;    // [out] bias of B; undefined: none
  Tensor magnitude;  // [out]; undefined: none
  Tensor squares;    // [out] squared norms of the base's rows, if there is a magnitude
  Tensor gain;       // [rank, 1] between A and B; undefined: ones

  // B times the gain.
  Tensor full_up() const { return gain.defined() ? up * gain.t() : up; }
};

class LowRankAdapter final : public GroupAdapter {
 public:
  LowRankAdapter(Tensor down, std::vector<Entry> entries, double dropout)
      : down(std::move(down)), entries(std::move(entries)), dropout_(dropout) {}

  Tensor forward(const LinearGroup& group, const Tensor& x, const Call& call,
                 MemberRange range) override {
    const int64_t first = group.first_column(range), last = first + group.columns(range);
    const auto plan = c10::make_intrusive<LowRankPlan>();
    std::vector<Tensor> up, magnitudes;
    int64_t first_row = -1, rows = 0;
    for (const Entry& e : entries) {
      const int64_t begin = std::max(e.begin, first), columns = std::min(e.end, last) - begin;
      if (columns <= 0) continue;
      if (first_row < 0) first_row = e.row;
      plan->slices.push_back({begin - first, columns, e.row - first_row, e.rank, e.scaling});
      const auto part = [&](const Tensor& whole) {
        return columns == e.end - e.begin ? whole : whole.narrow(0, begin - e.begin, columns);
      };
      up.push_back(part(e.full_up()));
      if (e.magnitude.defined()) {
        magnitudes.push_back(part(e.magnitude));
        plan->norms.push_back(part(norms_of(group, e)));
      }
      rows += e.rank;
    }
    if (up.empty()) return group.base(x, range);
    plan->mask = call.context.mask(dropout_, group.site(), call.path, "lora", call.rows);
    plan->packed = group.packed_for(x, range);
    return low_rank_linear(x, group.weight_of(range), bias_of(group, first, last),
                           down.narrow(0, first_row, rows), up, magnitudes, plan);
  }

  std::optional<Tensor> merged(const LinearGroup& group, size_t member) const override {
    const at::NoGradGuard no_grad;
    const Member& m = group.members()[member];
    Tensor weight = group.weight.detach().narrow(0, m.begin, m.end - m.begin).clone();
    for (const Entry& e : entries) {
      const int64_t begin = std::max(e.begin, m.begin), columns = std::min(e.end, m.end) - begin;
      if (columns <= 0) continue;
      Tensor rows = weight.narrow(0, begin - m.begin, columns);
      rows.addmm_(e.full_up().detach().narrow(0, begin - e.begin, columns), down_of(e).detach(), 1,
                  e.scaling);
      if (e.magnitude.defined())
        rows.mul_((e.magnitude.detach() / norms_of(group, e))
                      .narrow(0, begin - e.begin, columns)
                      .unsqueeze(1));
    }
    return weight;
  }

  std::optional<Tensor> merged_bias(const LinearGroup& group, size_t member) const override {
    const at::NoGradGuard no_grad;
    const Member& m = group.members()[member];
    const Tensor bias = bias_of(group, m.begin, m.end);
    return bias.defined() ? std::optional<Tensor>(bias.detach().clone()) : std::nullopt;
  }

  bool is_random() const override { return dropout_ > 0; }

  Tensor down_of(const Entry& e) const { return down.narrow(0, e.row, e.rank); }

  Tensor down;  // [R, D], the A of all entries in order
  std::vector<Entry> entries;

 private:
  // The norm of each row of W + scaling B A, a constant of the graph, without that matrix:
  // |W|^2 + 2 scaling <W A^T, B> + scaling^2 |B A|^2. [out]
  Tensor norms_of(const LinearGroup& group, const Entry& e) const {
    const at::NoGradGuard no_grad;
    const Tensor a = down_of(e).detach(), b = e.up.detach();
    const Tensor base = at::mm(group.weight.detach().narrow(0, e.begin, e.end - e.begin), a.t());
    const Tensor inner = 2 * base + e.scaling * at::mm(b, at::mm(a, a.t()));  // [out, rank]
    // The lower bound only affects rows of zeros, whose magnitude starts at zero too.
    return (e.squares + e.scaling * (inner * b).sum(1)).clamp_min(1e-24).sqrt();
  }

  // The bias of columns `first` to `last` of the group; undefined if there is none.
  Tensor bias_of(const LinearGroup& group, int64_t first, int64_t last) const {
    const Tensor base = group.bias.defined() ? group.bias.narrow(0, first, last - first) : Tensor();
    const bool changes = std::any_of(entries.begin(), entries.end(), [&](const Entry& e) {
      return e.begin < last && e.end > first && (e.bias.defined() || e.up_bias.defined());
    });
    if (!changes) return base;
    const auto base_part = [&](int64_t begin, int64_t end) {
      return base.defined() ? base.narrow(0, begin - first, end - begin)
                            : at::zeros({end - begin}, group.weight.options());
    };
    std::vector<Tensor> parts;
    int64_t column = first;
    for (const Entry& e : entries) {
      const int64_t begin = std::max(e.begin, first), end = std::min(e.end, last);
      if (begin >= end) continue;
      if (begin > column) parts.push_back(base_part(column, begin));
      Tensor part =
          e.bias.defined() ? e.bias.narrow(0, begin - e.begin, end - begin) : base_part(begin, end);
      if (e.up_bias.defined())
        part = part + e.scaling * e.up_bias.narrow(0, begin - e.begin, end - begin);
      parts.push_back(part);
      column = end;
    }
    if (column < last) parts.push_back(base_part(column, last));
    return at::cat(parts, 0);  // [last - first]
  }

  double dropout_;
};

// AdaLoRA's regularizer: the mean distance of A A^T and B^T B from the identity, over all updates.
Tensor distance_from_orthogonal(const std::vector<std::shared_ptr<LowRankAdapter>>& adapters) {
  Tensor sum;
  int64_t count = 0;
  const auto add = [&](const Tensor& product) {  // [rank, rank]
    const Tensor distance = (product - at::eye(product.size(0), product.options())).norm();
    sum = sum.defined() ? sum + distance : distance;
    ++count;
  };
  for (const auto& adapter : adapters)
    for (const Entry& e : adapter->entries) {
      const Tensor down = adapter->down_of(e);
      add(at::mm(down, down.t()));
      add(at::mm(e.up.t(), e.up));
    }
  return sum / static_cast<double>(count);
}

template <class Value>
Value pattern_value(const std::map<std::string, Value>& pattern, const std::string& path,
                    Value fallback) {
  for (const auto& [key, value] : pattern)
    if (pattern_key_matches(key, path)) return value;
  return fallback;
}

// Warns about keys that match nothing. They are not an error, because PEFT writes and reads such
// keys.
template <class Value>
void warn_of_unused(const std::map<std::string, Value>& pattern,
                    const std::vector<std::string>& modules, const std::string& option,
                    Attachment& attachment) {
  for (const auto& [key, value] : pattern)
    if (std::none_of(modules.begin(), modules.end(),
                     [&](const std::string& module) { return pattern_key_matches(key, module); }))
      attachment.warnings.push_back(option + ": '" + key +
                                    "' matches no adapted linear layer and has no effect; one is " +
                                    modules.front());
}

constexpr double kBudgetDeviation = 0.02;  // standard deviation of AdaLoRA's initial A and B

}  // namespace

// B starts at zero; with AdaLoRA, A and B are normal and the singular values start at zero.
Tensor LoraAdapter::first_down(int64_t r, int64_t in, RandomKey key) const {
  if (budget) return normal_tensor({r, in}, kBudgetDeviation, key);
  return initial_lora_a(r, in, starts_gaussian, key);
}

double LoraAdapter::scaling_of(double a, int64_t r) const {
  const auto ranks = static_cast<double>(r);
  if (budget) return a / (ranks + 1e-5);  // as in PEFT
  return a / (rank_stabilized ? std::sqrt(ranks) : ranks);
}

void LoraAdapter::attach(const AdapterSpec& spec, Sites& sites, Attachment& attachment) const {
  check_choice(spec.sites, sites, method);
  const std::string up_group = plus == 1 ? "adapter" : "adapter-up";
  if (plus != 1) attachment.groups[up_group].learning_rate_ratio = plus;
  bool has_bias = false;
  // PEFT's names: there, the matrices of AdaLoRA are parameters, not modules.
  const std::string ending = budget ? "" : ".weight";
  const auto ranks = budget ? std::make_shared<RankBudget>(*budget, method) : nullptr;
  std::vector<std::shared_ptr<LowRankAdapter>> adapters;
  std::vector<std::string> modules;
  for (LinearGroup* group : sites.groups) {
    const std::vector<AdaptedModule> adapted = selected_modules(*group, spec.sites);
    if (adapted.empty()) continue;
    MIXTUNE_CHECK(!group->adapter, "two adapters at " + group->site());
    std::vector<Entry> entries;
    std::vector<Tensor> downs;
    std::vector<Segment> down_segments;
    const at::TensorOptions options = group->weight.options();
    int64_t rows = 0;
    for (const AdaptedModule& one : adapted) {
      modules.push_back(one.name);
      const int64_t r = pattern_value(rank_pattern, one.name, rank);
      const double a = pattern_value(alpha_pattern, one.name, alpha);
      const MemberRange range{one.first, one.last};
      const int64_t begin = group->first_column(range), out = group->columns(range);
      const RandomKey down_key = derive(attachment.seed, one.name + ".lora_A");
      downs.push_back(first_down(r, group->in(), down_key));
      down_segments.push_back({one.name + ".lora_A" + ending, "adapter", {r, group->in()}});
      Entry entry{.name = one.name,
                  .begin = begin,
                  .end = begin + out,
                  .row = rows,
                  .rank = r,
                  .scaling = scaling_of(a, r),
                  .up = at::zeros({out, r}, options),
                  .bias = {},
                  .up_bias = {},
                  .magnitude = {},
                  .squares = {},
                  .gain = {}};
      int64_t parameters = r * (group->in() + out);
      has_bias = has_bias || group->bias.defined();
      if (train_bias && group->bias.defined()) {
        entry.bias = group->bias_of(range)->detach().clone();
        parameters += out;
      }
      if (up_bias) {
        entry.up_bias = at::zeros({out}, options);
        parameters += out;
      }
      if (magnitude) {
        const Tensor norms = group->weight_of(range).detach().norm(2, 1);  // [out]
        entry.magnitude = norms.clone();
        entry.squares = norms.square();
        parameters += out;
      }
      if (budget) {
        const RandomKey up_key = derive(attachment.seed, one.name + ".lora_B");
        entry.up = normal_tensor({out, r}, kBudgetDeviation, up_key).to(options);
        entry.gain = at::zeros({r, 1}, options);
        parameters += r;
        ranks->add(one.name + ".lora_A", one.name + ".lora_E", one.name + ".lora_B", r, group->in(),
                   out);
      }
      attachment.note(one.name,
                      "low rank " + std::to_string(r) + (magnitude ? " with magnitudes" : ""),
                      parameters);
      entries.push_back(std::move(entry));
      rows += r;
    }
    auto adapter = std::make_shared<LowRankAdapter>(at::cat(downs, 0).to(options),
                                                    std::move(entries), dropout);
    attachment.trainables.add(&adapter->down, std::move(down_segments));
    for (Entry& e : adapter->entries) {
      attachment.train(&e.up, e.name + ".lora_B" + ending, up_group, true);
      if (budget) attachment.train(&e.gain, e.name + ".lora_E", "adapter", true);
      // These names are those of PEFT.
      if (e.bias.defined())
        attachment.train(&e.bias, e.name + ".base_layer.bias", "adapter", false);
      if (e.up_bias.defined())
        attachment.train(&e.up_bias, e.name + ".lora_B.bias", up_group, false);
      if (e.magnitude.defined())
        attachment.train(&e.magnitude, e.name + ".lora_magnitude_vector", "adapter", true);
    }
    group->adapter = adapter;
    adapters.push_back(adapter);
  }
  warn_of_unused(rank_pattern, modules, method + ".rank_pattern", attachment);
  warn_of_unused(alpha_pattern, modules, method + ".alpha_pattern", attachment);
  if (budget) RankBudget::attach(ranks, adapters.front()->down.options(), attachment);
  if (orthogonality > 0)
    attachment.losses.push_back(
        {"orthogonality", orthogonality, [adapters](const LossStatistics&, Reducer&) {
           return distance_from_orthogonal(adapters);
         }});
  if (train_bias && !has_bias)
    throw UserError(method + ".bias", "is lora_only; no adapted linear layer has a bias",
                    "Set it to none.");
}

}  // namespace mixtune
