// IA3 (Liu et al. 2022, arXiv 2205.05638): learned scales of keys, values and the inner activations
// of the feed-forward, all initialized to one.
#include "methods/method.h"
#include "moe/experts/adapters.h"

namespace mixtune {
namespace {

struct Ia3Config final : Config {
  std::vector<std::string> targets = {"key", "value", "ffn_down"};
  std::optional<std::vector<int64_t>> layers;

  void fields(FieldVisitor& v) override {
    v.field("target_modules", targets,
            "Linear layers whose output (for the role ffn_down: input) is scaled.");
    v.field("layers_to_transform", layers, "Indices of the layers to adapt; null: all.");
  }
};

std::vector<AdapterSpec> ia3_specs(const Config& config, int64_t) {
  const auto& c = dynamic_cast<const Ia3Config&>(config);
  return {{.sites = {c.targets, c.layers}, .adapter = std::make_shared<Ia3Scales>()}};
}

}  // namespace

void register_ia3(Registry<MethodEntry>& registry) {
  registry.add({"ia3", "arXiv 2205.05638",
                "Learned scales of keys, values and inner feed-forward activations.",
                [] { return std::make_unique<Ia3Config>(); }, ia3_specs});
}

}  // namespace mixtune
