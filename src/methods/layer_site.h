// The site `layer` of a mixture: the experts are the model's own layers (MoLEx).
#pragma once

#include "methods/method.h"

namespace mixtune {

struct BlendConfig final : Config {
  std::string kind = "fixed";
  std::optional<double> own, other;
  std::optional<std::string> sharing;
  bool raw = false;
  void fields(FieldVisitor& v) override;
};

struct LayerSiteConfig final : Config {
  BlendConfig blend;
  std::string sharing = "shared", gradient = "none", source = "learned";
  bool detach_input = false, matches_reference = false;
  double balance = 0.01;

  void fields(FieldVisitor& v) override;
  std::optional<FieldProblem> check() const override;
  // The spec of the layer experts. `router` comes with scope, gate and settings; this sets the
  // rest.
  AdapterSpec spec(RouterSpec router, const std::optional<std::vector<int64_t>>& layers,
                   const StackShape& shape, const std::string& method) const;
};

// The choices of what an expert of a mixture is: linear, feed_forward, layer.
const ChoiceTable& site_choices();

}  // namespace mixtune
