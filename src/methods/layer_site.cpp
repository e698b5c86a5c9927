#include "methods/layer_site.h"

#include "moe/experts/adapters.h"

namespace mixtune {
namespace {

struct NoOptions final : Config {
  void fields(FieldVisitor&) override {}
};

class SiteChoices final : public ChoiceTable {
 public:
  std::vector<std::string> names() const override { return {"linear", "feed_forward", "layer"}; }
  std::unique_ptr<Config> make(const std::string& name) const override {
    if (name == "layer") return std::make_unique<LayerSiteConfig>();
    return std::make_unique<NoOptions>();
  }
  std::string summary(const std::string& name) const override {
    if (name == "linear") return "Experts on each linear layer, with one router per linear layer.";
    if (name == "feed_forward")
      return "Each expert is a whole feed-forward with updates on all its linear layers; one "
             "router per feed-forward.";
    return "The experts are the model's own layers; each layer's output is blended with that of a "
           "selected layer (MoLEx).";
  }
};

GateGradient gradient_of(const std::string& name) {
  if (name == "probability") return GateGradient::probability;
  return name == "straight_through" ? GateGradient::straight_through : GateGradient::none;
}

ChoiceSource source_of(const std::string& name) {
  if (name == "frozen") return ChoiceSource::frozen;
  if (name == "uniform") return ChoiceSource::uniform;
  if (name == "self") return ChoiceSource::self;
  return name == "neighbor" ? ChoiceSource::neighbor : ChoiceSource::learned;
}

}  // namespace

void BlendConfig::fields(FieldVisitor& v) {
  v.field("kind", kind,
          "fixed: own and other are constants; learned: softmax of two trained logits.",
          {.choices = {"fixed", "learned"}});
  v.field("own", own,
          "Weight of the layer's own output (learned: initial logit); null: 0.95, or 0.5 if "
          "learned.");
  v.field("other", other,
          "Weight of the selected layer's output (learned: initial logit); null: 0.05, or 0.5 if "
          "learned.");
  v.field("sharing", sharing, "Sharing of learned weights across layers; null: same as the gate.",
          {.choices = {"shared", "per_layer"}});
  v.field("raw", raw, "Compatibility: use the learned weights without softmax.");
}

void LayerSiteConfig::fields(FieldVisitor& v) {
  v.nested("blend", blend, "Weights of the blend of the two outputs.");
  v.field("sharing", sharing, "shared: one gate for all layers; per_layer: one gate per layer.",
          {.choices = {"shared", "per_layer"}});
  v.field("gradient", gradient, "Gradient path from the task loss to the gate.",
          {.choices = {"none", "probability", "straight_through"}});
  v.field("source", source,
          "Source of the routing decisions: learned (the gate), or a gate ablation: frozen (at "
          "initialization), uniform (resampled every step), self, neighbor.",
          {.choices = {"learned", "frozen", "uniform", "self", "neighbor"}});
  v.field("detach_input", detach_input,
          "Detach the gate's input, so that its gradient does not reach the hidden states.");
  v.field("balance", balance, "Weight of the load-balancing loss; 0: off.", {.minimum = 0});
  v.field(
      "matches_reference", matches_reference,
      "Compatibility with the authors' code: a layer that selects itself runs twice, generation "
      "uses an averaged cache, and on an encoder the evaluation loss includes the balance loss.");
}

std::optional<FieldProblem> LayerSiteConfig::check() const {
  const bool is_shared = blend.sharing.value_or(sharing) == "shared";
  if (blend.raw && (blend.kind != "learned" || !is_shared))
    return FieldProblem{"blend.raw", "false (raw requires learned and shared weights)",
                        "Leave it out."};
  if (gradient != "none" && source != "learned")
    return FieldProblem{"gradient", "none (source is " + source + ")", "Leave it out."};
  return std::nullopt;
}

// The default weights depend on the kind: with fixed weights an even blend prevents the model from
// learning (bench/results/quality.md); learned weights start even, as in the authors' code.
AdapterSpec LayerSiteConfig::spec(RouterSpec router,
                                  const std::optional<std::vector<int64_t>>& layers,
                                  const StackShape& shape, const std::string& method) const {
  auto adapter = std::make_shared<LayerExperts>();
  adapter->causal = shape.causal;
  adapter->method = method;
  router.scope.detach_first = detach_input;
  router.source = source_of(source);
  if (router.source == ChoiceSource::learned) router.gradient = gradient_of(gradient);
  router.per_site = sharing == "per_layer";
  AdapterSpec out{.sites = {{}, layers}, .adapter = adapter, .router = std::move(router)};
  const bool learned = blend.kind == "learned";
  out.blend = Blend{.own = blend.own.value_or(learned ? 0.5 : 0.95),
                    .other = blend.other.value_or(learned ? 0.5 : 0.05),
                    .learned = learned,
                    .per_site = blend.sharing.value_or(sharing) == "per_layer",
                    .raw = blend.raw};
  out.balance = balance;
  out.matches_reference = matches_reference;
  return out;
}

const ChoiceTable& site_choices() {
  static const SiteChoices choices;
  return choices;
}

}  // namespace mixtune
