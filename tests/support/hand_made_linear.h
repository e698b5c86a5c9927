// One linear group with known weights and a method attached.
#pragma once

#include "support/tiny_model.h"

namespace mixtune::test {

inline Tensor matrix(const std::vector<std::vector<double>>& rows,
                     at::TensorOptions options = at::kDouble) {
  std::vector<double> flat;
  for (const auto& row : rows) flat.insert(flat.end(), row.begin(), row.end());
  const auto height = static_cast<int64_t>(rows.size());
  return at::tensor(flat, at::kDouble).view({height, -1}).to(options);
}

class HandMadeLinear {
 public:
  struct Part {
    Role role;
    std::string name;
    int64_t out;
  };

  HandMadeLinear(const std::vector<Part>& parts, int64_t in,
                 at::TensorOptions options = at::kDouble)
      : group(members_of(parts), in, 0, options) {
    group.weight.copy_(draw(group.weight.sizes(), 0.5, "weight"));
    group.bias.copy_(draw(group.bias.sizes(), 0.5, "bias"));
    sites.groups.push_back(&group);
    sites.width = in;
  }

  void attach_method(const std::string& method, const std::string& yaml,
                     const AttachOptions& options = {}) {
    attachment = test::attach_method(sites, method, yaml, options);
  }
  // A trained tensor by name, to be set.
  Tensor value(const std::string& name) const {
    return attachment->trainables.value_of(segment(name));
  }
  Tensor gradient(const std::string& name) const {
    return attachment->trainables.gradient_of(segment(name));
  }
  void set(const std::string& name, const Tensor& numbers) const {
    const at::NoGradGuard no_grad;
    value(name).copy_(numbers.view(value(name).sizes()));
  }
  ForwardContext context(Phase phase = Phase::evaluate, int64_t step = 0) {
    ForwardContext out(phase, 7, step, alone_);
    if (attachment) out.loss_statistics = attachment->loss_statistics;
    return out;
  }
  Tensor forward(const Tensor& x, ForwardContext& context) {
    const SequenceLayout rows = rows_of({x.size(0)});
    return group.forward(x, Call{rows, {}, context});
  }
  Tensor forward(const Tensor& x, Phase phase = Phase::evaluate, int64_t step = 0) {
    ForwardContext c = context(phase, step);
    return forward(x, c);
  }
  Tensor forward(const Tensor& x, MemberRange range) {
    const SequenceLayout rows = rows_of({x.size(0)});
    ForwardContext c = context();
    return group.forward(x, Call{rows, {}, c}, range);
  }

  LinearGroup group;
  Sites sites;
  std::unique_ptr<Attachment> attachment;

 private:
  static std::vector<Member> members_of(const std::vector<Part>& parts) {
    std::vector<Member> out;
    int64_t column = 0;
    for (const Part& part : parts) {
      out.push_back({part.role, part.name, column, column + part.out});
      column += part.out;
    }
    return out;
  }
  const Segment& segment(const std::string& name) const {
    const Segment* found = attachment->trainables.find(name);
    MIXTUNE_CHECK(found != nullptr, "no " + name);
    return *found;
  }
  Reducer alone_;
};

}  // namespace mixtune::test
