// Bottleneck adapters (Houlsby et al. 2019): x + up(activation(down(x))) after the projection and
// dropout of a sublayer, before the residual is added. `up` starts at zero, so the initial adapter
// is exactly the identity, not only close to it as in the paper. Legend: T tokens, D width, W
// bottleneck width.
#include "moe/experts/adapters.h"

#include <algorithm>

#include "moe/targets.h"

namespace mixtune {
namespace {

class BottleneckModule final : public OutputAdapter {
 public:
  BottleneckModule(int64_t width, int64_t bottleneck, double deviation, std::string activation,
                   RandomKey key, const at::TensorOptions& options)
      : down_weight(normal_tensor({bottleneck, width}, deviation, key).to(options)),
        down_bias(at::zeros({bottleneck}, options)),
        up_weight(at::zeros({width, bottleneck}, options)),
        up_bias(at::zeros({width}, options)),
        activation_(std::move(activation)) {}

  Tensor forward(const Tensor& x, const Call&) override {
    const Tensor inner = activate(at::linear(x, down_weight, down_bias), activation_);  // [T, W]
    return x + at::linear(inner, up_weight, up_bias);                                   // [T, D]
  }

  Tensor down_weight, down_bias, up_weight, up_bias;

 private:
  std::string activation_;
};

}  // namespace

void BottleneckAdapter::attach(const AdapterSpec& spec, Sites& sites,
                               Attachment& attachment) const {
  check_layer_choice(spec.sites, sites, "houlsby");
  for (ResidualAdd* end : sites.outputs) {
    if (end->sublayer() == Sublayer::attention ? !after_attention : !after_feed_forward) continue;
    const auto& layers = spec.sites.layers;
    if (layers && std::find(layers->begin(), layers->end(), end->layer()) == layers->end())
      continue;
    MIXTUNE_CHECK(!end->adapter, "two adapters at " + end->path());
    const std::string name = end->path() + ".bottleneck.";
    MIXTUNE_CHECK(!end->norms.empty(), "no norm at " + end->path());
    const at::TensorOptions options = end->norms.front().second->options();
    auto adapter =
        std::make_shared<BottleneckModule>(sites.width, width, initial_deviation, activation,
                                           derive(attachment.seed, name + "down.weight"), options);
    attachment.train(&adapter->down_weight, name + "down.weight", "adapter", true);
    attachment.train(&adapter->down_bias, name + "down.bias", "adapter", false);
    attachment.train(&adapter->up_weight, name + "up.weight", "adapter", true);
    attachment.train(&adapter->up_bias, name + "up.bias", "adapter", false);
    int64_t count = width * (2 * sites.width + 1) + sites.width;
    if (train_norms) {
      for (const auto& [weight, tensor] : end->norms) {
        attachment.train(tensor, weight, "adapter", false);
        count += tensor->numel();
      }
    }
    attachment.note(end->path(), "bottleneck " + std::to_string(width), count);
    end->adapter = adapter;
  }
}

}  // namespace mixtune
