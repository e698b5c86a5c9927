// Stacks of layers given as functions, for results that can be worked by hand: MoLEx depends on
// nothing else of a model.
#pragma once

#include "support/tiny_model.h"

namespace mixtune::test {

class FunctionLayer final : public Layer {
 public:
  using Function = std::function<Tensor(const Tensor&, const Call&)>;
  explicit FunctionLayer(Function function) : function_(std::move(function)) {}
  Tensor forward(const Tensor& z, const Call& call) override {
    const Tensor y = function_(z, call);
    return call.read ? y.index_select(0, call.read->index) : y;
  }
  bool is_random() const override { return false; }

 private:
  Function function_;
};

// Sites with only a stack. The weight only determines the data type.
class HandMadeStack {
 public:
  HandMadeStack(int64_t width, at::TensorOptions options = at::kDouble)
      : weight_(at::zeros({1}, options)) {
    sites.stack = &stack;
    sites.width = width;
    sites.weights.push_back({"weight", &weight_, 0, 1, WeightKind::matrix, WeightPart::backbone});
  }

  void add(FunctionLayer::Function function) {
    stack.layers.push_back(std::make_unique<FunctionLayer>(std::move(function)));
  }
  void add_constant(double value) {
    add([value](const Tensor& z, const Call&) { return at::full_like(z, value); });
  }
  void add_identity() {
    add([](const Tensor& z, const Call&) { return z.clone(); });
  }
  // MoLEx over nothing; `yaml` on top of "over: null".
  void attach_molex(const std::string& yaml) {
    attachment = attach_method(sites, "molex", "over: null\n" + yaml, {}, causal);
  }
  // The state of MoLEx by name, to be set.
  Tensor state(const std::string& name) const {
    for (const auto& [known, tensor] : attachment->state())
      if (known == name) return tensor;
    throw BugError("no " + name);
  }
  // Makes scores equal the input, so that votes can be given directly. The width must equal the
  // number of layers.
  void score_is_input() const {
    const at::NoGradGuard no_grad;
    const Tensor gate = state("molex.gate.weight");
    gate.copy_(at::eye(gate.size(0), gate.options()));
  }
  ForwardContext context(Phase phase = Phase::evaluate, int64_t step = 0, RandomKey seed = 7) {
    ForwardContext out(phase, seed, step, alone);
    if (attachment) out.loss_statistics = attachment->loss_statistics;
    return out;
  }

  bool causal = false;  // set before something is attached
  Sites sites;
  LayerStack stack;
  std::unique_ptr<Attachment> attachment;
  Reducer alone;

 private:
  Tensor weight_;
};

// Inputs that vote for the given layers with score_is_input: [T, layers].
inline Tensor votes_for(const std::vector<int64_t>& layers, int64_t count) {
  return at::one_hot(at::tensor(layers, at::kLong), count).to(at::kDouble);
}

}  // namespace mixtune::test
