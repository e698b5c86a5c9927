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
    if (name == "linear") return "Experts for each of the linears, with a router of its own.";
    if (name == "feed_forward")
      return "An expert is a whole feed-forward with updates of all its linears, a router for "
             "each.";
    return "Experts are the model's own blocks, one of which is blended with each (MoLEx).";
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
  v.field("kind", kind, "fixed: own and other as given; learned: their softmax, trained.",
          {.choices = {"fixed", "learned"}});
  v.field("own", own,
          "Weight of the block's own output (learned: its logit); null: 0.95, or 0.5 where it is "
          "learned.");
  v.field("other", other,
          "Weight of the chosen block's output (learned: its logit); null: 0.05, or 0.5 where own "
          "is.");
  v.field("sharing", sharing, "Of learned weights; null: as the gate.",
          {.choices = {"shared", "per_layer"}});
  v.field("raw", raw, "Compatibility: learned weights without their softmax.");
}

void LayerSiteConfig::fields(FieldVisitor& v) {
  v.nested("blend", blend, "How the two outputs are blended.");
  v.field("sharing", sharing, "One gate for all blocks, or one for each.",
          {.choices = {"shared", "per_layer"}});
  v.field("gradient", gradient, "How the task reaches the gate.",
          {.choices = {"none", "probability", "straight_through"}});
  v.field("source", source,
          "Where choices come from: the gate, or, as controls, a gate frozen as drawn, a new draw "
          "each step, the block itself, the next one.",
          {.choices = {"learned", "frozen", "uniform", "self", "neighbor"}});
  v.field("detach_input", detach_input, "Keep the gate's gradient out of the hidden states.");
  v.field("balance", balance, "Weight of the load-balancing loss; 0: off.", {.minimum = 0});
  v.field(
      "matches_reference", matches_reference,
      "Compatibility: a block that chose itself runs twice, texts are written beside an averaged "
      "cache, and on an encoder the balance loss counts in evaluations.");
}

std::optional<FieldProblem> LayerSiteConfig::check() const {
  const bool is_shared = blend.sharing.value_or(sharing) == "shared";
  if (blend.raw && (blend.kind != "learned" || !is_shared))
    return FieldProblem{"blend.raw", "false (of learned weights that are shared alone)",
                        "Leave it out."};
  if (gradient != "none" && source != "learned")
    return FieldProblem{"gradient", "none (source is " + source + ")", "Leave it out."};
  return std::nullopt;
}

// Fixed, an even blend keeps a model from learning (bench/results/quality.md); learned, it is where
// the released code starts.
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
