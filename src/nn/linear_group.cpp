#include "nn/linear_group.h"

namespace mixtune {

const std::vector<std::string>& role_names() {
  static const std::vector<std::string> names = {
      "query",  "key",      "value",  "attention_output", "ffn_gate",
      "ffn_up", "ffn_down", "pooler", "classifier"};
  return names;
}

std::string role_name(Role role) {
  return role_names().at(static_cast<size_t>(role));
}

std::optional<Tensor> GroupAdapter::merged_bias(const LinearGroup& group, size_t member) const {
  return group.bias_of({member, member + 1});
}

LinearGroup::LinearGroup(std::vector<Member> members, int64_t in, int64_t layer,
                         const at::TensorOptions& options, bool biased)
    : members_(std::move(members)), layer_(layer) {
  MIXTUNE_CHECK(!members_.empty(), "a linear group needs members");
  weight = at::empty({members_.back().end, in}, options);
  if (biased) bias = at::empty({members_.back().end}, options);
}

Tensor LinearGroup::weight_of(MemberRange range) const {
  if (is_whole(range)) return weight;
  return weight.narrow(0, first_column(range), columns(range));
}

std::optional<Tensor> LinearGroup::bias_of(MemberRange range) const {
  if (!bias.defined()) return std::nullopt;
  if (is_whole(range)) return bias;
  return bias.narrow(0, first_column(range), columns(range));
}

const PackedWeight* LinearGroup::packed_for(const Tensor& x, MemberRange range) const {
  const bool fits = packed && is_whole(range) && x.size(0) <= PackedWeight::kFewRows &&
                    !at::GradMode::is_enabled();
  return fits ? packed.get() : nullptr;
}

Tensor LinearGroup::base(const Tensor& x, MemberRange range) const {
  if (const PackedWeight* copy = packed_for(x, range)) return copy->multiply(x, bias);
  return at::linear(x, weight_of(range), bias_of(range));  // [T, columns]
}

Tensor LinearGroup::forward(const Tensor& x, const Call& call) const {
  return forward(x, call, all());
}

Tensor LinearGroup::forward(const Tensor& x, const Call& call, MemberRange range) const {
  MIXTUNE_CHECK(x.dim() == 2 && x.size(1) == in(), shape_text(x) + " into " + site());
  return adapter ? adapter->forward(*this, x, call, range) : base(x, range);
}

}  // namespace mixtune
