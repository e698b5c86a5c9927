// Learned scales (IA3, Liu et al. 2022): l * (W x + b) on keys and values, W (l * x) + b on the
// second linear of the feed-forward. Scales start at one. Legend: T tokens, D width of x, O columns
// of the range.
#include "moe/experts/adapters.h"
#include "moe/targets.h"

namespace mixtune {
namespace {

class ScaleAdapter final : public GroupAdapter {
 public:
  struct Entry {
    size_t member;
    bool of_input;
    Tensor scale;  // of the output: [out, 1]; of the input: [1, in] (the shapes of PEFT)
  };

  Tensor forward(const LinearGroup& group, const Tensor& x, const Call&,
                 MemberRange range) override {
    std::vector<Tensor> parts;
    for (size_t m = range.first; m < range.last; ++m) {
      const Entry* entry = entry_of(m);
      Tensor part = group.base(entry && entry->of_input ? x * entry->scale : x, {m, m + 1});
      if (entry && !entry->of_input) part = part * entry->scale.view({1, -1});
      parts.push_back(part);  // [T, out]
    }
    return parts.size() == 1 ? parts[0] : at::cat(parts, 1);  // [T, O]
  }

  // The scale is one factor per row of the weight, or per column.
  std::optional<Tensor> merged(const LinearGroup& group, size_t member) const override {
    const Tensor weight = group.weight_of({member, member + 1}).detach().clone();
    const Entry* entry = entry_of(member);
    return entry ? weight * entry->scale.detach() : weight;
  }

  // The bias of a scaled output is scaled too.
  std::optional<Tensor> merged_bias(const LinearGroup& group, size_t member) const override {
    const Entry* entry = entry_of(member);
    const std::optional<Tensor> bias = group.bias_of({member, member + 1});
    if (!bias || !entry || entry->of_input) return bias;
    return bias->detach() * entry->scale.detach().view({-1});
  }

  bool is_random() const override { return false; }

  std::vector<Entry> entries;

 private:
  const Entry* entry_of(size_t member) const {
    for (const Entry& entry : entries)
      if (entry.member == member) return &entry;
    return nullptr;
  }
};

}  // namespace

void Ia3Scales::attach(const AdapterSpec& spec, Sites& sites, Attachment& attachment) const {
  check_choice(spec.sites, sites, "ia3");
  for (LinearGroup* group : sites.groups) {
    const std::vector<size_t> members = selected_members(*group, spec.sites);
    if (members.empty()) continue;
    MIXTUNE_CHECK(!group->adapter, "two adapters at " + group->site());
    auto adapter = std::make_shared<ScaleAdapter>();
    for (const size_t m : members) {
      const Member& member = group->members()[m];
      const bool of_input = member.role == Role::ffn_down;
      const int64_t out = member.end - member.begin;
      const Tensor ones = of_input ? at::ones({1, group->in()}, group->weight.options())
                                   : at::ones({out, 1}, group->weight.options());
      adapter->entries.push_back({m, of_input, ones});
      attachment.note(member.name, of_input ? "input scale" : "output scale", ones.numel());
    }
    for (auto& entry : adapter->entries)
      attachment.train(&entry.scale, group->members()[entry.member].name + ".ia3_l", "adapter",
                       false);
    group->adapter = adapter;
  }
}

}  // namespace mixtune
