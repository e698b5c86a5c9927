// Bottleneck adapters (Houlsby et al. 2019, arXiv 1902.00751): a small network after the attention
// and after the feed-forward of every layer; the norms are trained too. The paper initializes both
// projections with small random values, close to the identity; here `up` starts at zero, so the
// initial adapter is exactly the identity.
#include "methods/method.h"
#include "moe/experts/adapters.h"

namespace mixtune {
namespace {

struct HoulsbyConfig final : Config {
  int64_t width = 64;
  std::string activation = "gelu";
  bool after_attention = true, after_feed_forward = true, train_norms = true;
  std::optional<std::vector<int64_t>> layers;

  void fields(FieldVisitor& v) override {
    v.field("bottleneck_size", width, "Width of the bottleneck.", {.minimum = 1, .maximum = 65536});
    v.field("activation", activation, "Activation function between the two projections.",
            {.choices = activation_names()});
    v.field("after_attention", after_attention, "Add an adapter after the attention.");
    v.field("after_feed_forward", after_feed_forward, "Add an adapter after the feed-forward.");
    v.field("train_norms", train_norms, "Train the norms that follow the adapters.");
    v.field("layers_to_transform", layers, "Indices of the layers to adapt; null: all.");
  }

  std::optional<FieldProblem> check() const override {
    if (after_attention || after_feed_forward) return std::nullopt;
    return FieldProblem{"after_attention", "true where after_feed_forward is false",
                        "Switch one of the two on."};
  }
};

std::vector<AdapterSpec> houlsby_specs(const Config& config, int64_t) {
  const auto& c = dynamic_cast<const HoulsbyConfig&>(config);
  auto adapter = std::make_shared<BottleneckAdapter>();
  adapter->width = c.width;
  adapter->activation = c.activation;
  adapter->after_attention = c.after_attention;
  adapter->after_feed_forward = c.after_feed_forward;
  adapter->train_norms = c.train_norms;
  return {{.sites = {{}, c.layers}, .adapter = adapter}};
}

}  // namespace

void register_houlsby(Registry<MethodEntry>& registry) {
  registry.add({"houlsby", "arXiv 1902.00751", "Bottleneck adapters after each sublayer.",
                [] { return std::make_unique<HoulsbyConfig>(); }, houlsby_specs});
}

}  // namespace mixtune
