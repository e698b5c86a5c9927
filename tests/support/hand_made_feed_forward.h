// One feed-forward whose weights depend only on names, with a method attached.
#pragma once

#include "support/tiny_model.h"

namespace mixtune::test {

struct FeedForwardShape {
  int64_t width = 6, inner = 10;
  bool gated = true, biased = true;
  std::string activation = "silu";
};

class HandMadeFeedForward {
 public:
  HandMadeFeedForward(const FeedForwardShape& shape, at::TensorOptions options = at::kDouble)
      : base(up_group(shape, options),
             LinearGroup({{Role::ffn_down, "mlp.down_proj", 0, shape.width}}, shape.inner, 0,
                         options, shape.biased),
             shape.activation) {
    for (LinearGroup* group : {&base.up, &base.down}) {
      group->weight.copy_(draw(group->weight.sizes(), 0.5, group->site() + "weight"));
      if (shape.biased) group->bias.copy_(draw(group->bias.sizes(), 0.5, group->site() + "bias"));
    }
    sites.groups = {&base.up, &base.down};
    sites.feed_forwards = {&base};
    sites.width = shape.width;
  }

  void attach_method(const std::string& method, const std::string& yaml) {
    attachment = test::attach_method(sites, method, yaml);
  }
  ForwardContext context(Phase phase = Phase::evaluate, int64_t step = 0) {
    ForwardContext out(phase, 7, step, alone);
    out.loss_statistics = attachment->loss_statistics;
    return out;
  }
  Tensor forward(const Tensor& x, const SequenceLayout& rows, ForwardContext& context) {
    return base.forward(x, Call{rows, {}, context});
  }
  Tensor value(const std::string& name) const {
    return attachment->trainables.value_of(find(name));
  }
  Tensor gradient(const std::string& name) const {
    return attachment->trainables.gradient_of(find(name));
  }
  void set(const std::string& name, const Tensor& numbers) const {
    const at::NoGradGuard no_grad;
    value(name).copy_(numbers);
  }

  FeedForward base;
  Sites sites;
  std::unique_ptr<Attachment> attachment;
  Reducer alone;

 private:
  static LinearGroup up_group(const FeedForwardShape& s, at::TensorOptions options) {
    std::vector<Member> members;
    if (s.gated) members.push_back({Role::ffn_gate, "mlp.gate_proj", 0, s.inner});
    const int64_t begin = s.gated ? s.inner : 0;
    members.push_back({Role::ffn_up, "mlp.up_proj", begin, begin + s.inner});
    return LinearGroup(std::move(members), s.width, 0, options, s.biased);
  }
  const Segment& find(const std::string& name) const {
    const Segment* found = attachment->trainables.find(name);
    MIXTUNE_CHECK(found != nullptr, "no " + name);
    return *found;
  }
};

}  // namespace mixtune::test
