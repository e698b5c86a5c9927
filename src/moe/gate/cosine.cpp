// Cosine gate: s = exp(min(tau, ln 100)) normalize(P z + c) normalize(E). The authors' MoLEx code
// normalizes the projected input over the sequence axis, which is the compatibility option; the
// default is the feature axis. Initial values as in the authors' code: P ~ N(0, 0.02), c = 0, E ~
// N(0, 0.01), tau = ln 2.
#include <cmath>

#include "moe/gate/gate.h"

namespace mixtune {
namespace {

constexpr double kEpsilon = 1e-12;  // lower bound of the norms

struct CosineGateConfig final : Config {
  int64_t projection = 256;
  std::string axis = "feature";

  void fields(FieldVisitor& v) override {
    v.field("projection", projection, "Width of the projected input.",
            {.minimum = 1, .maximum = 65536});
    v.field("axis", axis,
            "Axis of normalization: feature (the features of a token) or sequence (each feature "
            "over the tokens of a sequence, as in the authors' MoLEx code).",
            {.choices = {"feature", "sequence"}});
  }
};

class CosineGate final : public Gate {
 public:
  CosineGate(const GateShape& shape, const CosineGateConfig& spec, RandomKey key)
      : sequence_axis_(spec.axis == "sequence"),
        weight_(normal_tensor({spec.projection, shape.width}, shape.initializer_range,
                              derive(key, "projector"))
                    .to(shape.options)),
        bias_(at::zeros({spec.projection}, shape.options)),
        similarity_(normal_tensor({spec.projection, shape.experts}, 0.01, derive(key, "similarity"))
                        .to(shape.options)),
        temperature_(at::full({1}, std::log(2.0), shape.options)) {}

  Tensor forward(const Tensor& x, const SequenceLayout& rows) const override {
    const Tensor projected = at::linear(x, weight_, bias_);  // [T, p]
    const Tensor direction = sequence_axis_ ? over_sequence(projected, rows) : over(projected, 1);
    const Tensor scale = temperature_.clamp_max(std::log(100.0)).exp();  // [1]
    return scale * at::mm(direction, over(similarity_, 0));              // [T, E]
  }

  bool is_of_tokens() const override { return !sequence_axis_; }

  std::vector<std::pair<std::string, Tensor*>> tensors() override {
    return {{"cosine_projector.weight", &weight_},
            {"cosine_projector.bias", &bias_},
            {"sim_matrix", &similarity_},
            {"temperature", &temperature_}};
  }

 private:
  static Tensor over(const Tensor& x, int64_t dimension) {
    return x / x.norm(2, {dimension}, true).clamp_min(kEpsilon);
  }

  static Tensor over_sequence(const Tensor& x, const SequenceLayout& rows) {
    const Tensor sequence = rows.sequence_of_row();  // [T]
    const Tensor squares =
        at::zeros({rows.sequences(), x.size(1)}, x.options()).index_add(0, sequence, x * x);
    const Tensor norm = squares.sqrt().clamp_min(kEpsilon);  // [S, p]
    return x / norm.index_select(0, sequence);
  }

  bool sequence_axis_;
  Tensor weight_, bias_, similarity_, temperature_;  // [p, D], [p], [p, E], [1]
};

}  // namespace

void register_cosine(Registry<GateEntry>& registry) {
  registry.add({"cosine",
                "Scaled cosine similarity between a projection of x and a vector per expert.",
                [] { return std::make_unique<CosineGateConfig>(); },
                [](const Config& config, const GateShape& shape, RandomKey key) {
                  return std::make_unique<CosineGate>(
                      shape, dynamic_cast<const CosineGateConfig&>(config), key);
                }});
}

}  // namespace mixtune
