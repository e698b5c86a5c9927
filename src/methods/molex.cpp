// MoLEx (Teo and Nguyen 2025, arXiv 2503.11144): the output of each mixed layer is blended with
// that of a layer of the same model, which a gate selects; composes with the method under
// `over`. In the authors' code padding votes too, a batch shares one decision, and the task loss
// has no gradient path to the gate. Here only real tokens vote, by default with one decision per
// sequence (decoders: by its prompt), and `gate.gradient` can add a gradient path. `compat:
// reference` restores the authors' behavior, except that packed batches have no padding.
// docs/design.md lists open points.
#include "methods/mixture.h"

namespace mixtune {
namespace {

struct GateConfig final : Config {
  std::string kind = "linear", sharing = "shared", gradient = "none";
  int64_t projection = 256;
  std::optional<std::string> cosine_axis;
  bool detach_input = false;
  std::optional<double> learning_rate;
  double weight_decay = 0;

  void fields(FieldVisitor& v) override {
    v.field("kind", kind, "linear: W z + b; cosine: scaled cosine similarity of a projection of z.",
            {.choices = {"linear", "cosine"}});
    v.field("sharing", sharing, "shared: one gate for all layers; per_layer: one gate per layer.",
            {.choices = {"shared", "per_layer"}});
    v.field("gradient", gradient,
            "Gradient path from the task loss to the gate: none (as in the authors' code), "
            "probability or straight_through.",
            {.choices = {"none", "probability", "straight_through"}});
    v.field("projection", projection, "Width of the cosine gate's projection.",
            {.minimum = 1, .maximum = 65536});
    v.field("cosine_axis", cosine_axis,
            "Axis over which the cosine gate normalizes; null: feature, or sequence with compat: "
            "reference.",
            {.choices = {"feature", "sequence"}});
    v.field("detach_input", detach_input,
            "Detach the gate's input, so that its gradient does not reach the hidden states.");
    v.field("learning_rate", learning_rate,
            "Learning rate of the gate and of learned blend weights; null: that of the run.",
            {.minimum = 0});
    v.field("weight_decay", weight_decay,
            "Weight decay of the gate (biases included) and of learned blend weights.",
            {.minimum = 0});
  }
};

struct AlphaConfig final : Config {
  std::string kind = "fixed";
  std::optional<double> main, other;
  std::optional<std::string> sharing;

  void fields(FieldVisitor& v) override {
    v.field("kind", kind,
            "fixed: main and other are constants; learned: softmax of two trained logits.",
            {.choices = {"fixed", "learned"}});
    v.field("main", main,
            "Weight of the layer's own output (learned: initial logit); null: 0.95, or 0.5 if "
            "learned; with compat: reference 0.5 on an encoder and 0.95 on a decoder.");
    v.field("other", other,
            "Weight of the selected layer's output (learned: initial logit); null: 0.05, or 0.5 if "
            "learned; with compat: reference 0.5 on an encoder and 0.05 on a decoder.");
    v.field("sharing", sharing, "Sharing of learned weights across layers; null: same as the gate.",
            {.choices = {"shared", "per_layer"}});
  }
};

// "all", a number of layers from the first, or a list.
std::optional<std::string> layers_expected(const std::string& text) {
  const auto digits = [](const std::string& s) {
    return !s.empty() && s.size() < 7 && s.find_first_not_of("0123456789") == std::string::npos;
  };
  if (text == "all" || digits(text)) return std::nullopt;
  if (text.size() >= 2 && text.front() == '[' && text.back() == ']' &&
      text.find_first_not_of("0123456789, []") == std::string::npos)
    return std::nullopt;
  return "all, a count, or a list of layer indices such as [0, 1, 2]";
}

// The indices of the mixed layers; nullopt: all. `layers` is the number of layers if it is known.
// `inclusive`: for a limit of k the authors' RoBERTa code mixes layers 0 to k; their GPT-2 code
// mixes k layers.
std::optional<std::vector<int64_t>> mixed_layers(const std::string& text,
                                                 std::optional<int64_t> layers, bool inclusive) {
  if (text == "all") return std::nullopt;
  std::vector<int64_t> out;
  if (text.front() == '[') {
    for (size_t at = 1; at < text.size();) {
      const size_t end = text.find_first_not_of("0123456789", at);
      if (end > at) out.push_back(std::stoll(text.substr(at, end - at)));
      at = end + 1;
    }
    return out;
  }
  int64_t count = std::stoll(text) + (inclusive ? 1 : 0);
  if (layers && count > *layers && !inclusive)
    throw UserError("molex.layers_to_transform",
                    "is " + text + "; the model has " + std::to_string(*layers) + " layers",
                    "Lower it, or set it to all.");
  if (layers) count = std::min(count, *layers);
  for (int64_t t = 0; t < count; ++t) out.push_back(t);
  return out;
}

struct MolexConfig final : Config {
  Choice over{"lora", methods().get("lora", "", "method").config()};
  GateConfig gate;
  AlphaConfig alpha;
  double balance = 0.01;
  std::string layers = "all", reduce = "vote", control = "none", compat = "none";
  std::optional<std::string> vote;
  int64_t prompt_tokens = 16;

  void fields(FieldVisitor& v) override {
    v.choice("over", over, inner_method_choices(), "Method that adapts the layers; null: none.",
             {.optional = true});
    v.nested("gate", gate, "Gate that selects the layer to blend in.");
    v.nested("alpha", alpha, "Weights of the blend of the two outputs.");
    v.field("balance", balance, "Weight of the load-balancing loss; 0: off.", {.minimum = 0});
    v.field("layers_to_transform", layers,
            "Layers to mix: all, a number of layers from the first, or a list of indices.",
            {.check = layers_expected});
    v.field("scope", vote,
            "Scope of one routing decision: sequence, prompt or batch; null: batch with compat: "
            "reference, otherwise prompt on a decoder and sequence on an encoder.",
            {.choices = {"sequence", "prompt", "batch"}});
    v.field("prompt_tokens", prompt_tokens,
            "Number of initial tokens used as the prompt if a sequence has none (scope: prompt).",
            {.minimum = 1, .maximum = 1 << 20});
    v.field("reduce", reduce,
            "Reduction over pooled tokens: vote (majority) or mean (highest mean probability).",
            {.choices = {"vote", "mean"}});
    v.field(
        "control", control,
        "Gate ablation: none, random (frozen at initialization), uniform (resampled every step), "
        "self, neighbor.",
        {.choices = {"none", "random", "uniform", "self", "neighbor"}});
    v.field("compat", compat, "reference: reproduce the authors' code (exceptions: docs/molex.md).",
            {.choices = {"none", "reference"}});
  }
};

// The mixture config that is equivalent to MoLEx with these `mixed` layers (nullopt: all). `shape`
// matters only with compat: reference.
std::unique_ptr<MixtureConfig> mixture_config_of(const MolexConfig& c,
                                                 const std::optional<std::vector<int64_t>>& mixed,
                                                 const StackShape& shape) {
  const bool reference = c.compat == "reference", as_gpt2 = reference && shape.causal;
  auto out = std::make_unique<MixtureConfig>();
  out->over = c.over;
  out->layers = mixed;
  out->scope.level = c.vote      ? c.vote
                     : reference ? std::optional<std::string>("batch")
                                 : std::nullopt;
  if (c.reduce == "mean") out->scope.of = "probabilities";
  out->scope.prompt_tokens = c.prompt_tokens;
  out->gate = part(gate_choices(), c.gate.kind);
  if (c.gate.kind == "cosine") {
    set(out->gate, "projection", std::to_string(c.gate.projection));
    set(out->gate, "axis", c.gate.cosine_axis.value_or(reference ? "sequence" : "feature"));
  }
  out->router.learning_rate = c.gate.learning_rate;
  out->router.weight_decay = c.gate.weight_decay;

  auto site = std::make_shared<LayerSiteConfig>();
  site->sharing = c.gate.sharing;
  site->source = c.control == "none" ? "learned" : c.control == "random" ? "frozen" : c.control;
  if (c.control == "none") site->gradient = c.gate.gradient;
  site->detach_input = c.gate.detach_input;
  site->matches_reference = reference;
  site->balance = c.balance;
  site->blend.kind = c.alpha.kind;
  site->blend.own = c.alpha.main;
  site->blend.other = c.alpha.other;
  if (reference) {  // the RoBERTa code blends evenly, fixed or learned; the GPT-2 code does not
    site->blend.own = c.alpha.main.value_or(as_gpt2 ? 0.95 : 0.5);
    site->blend.other = c.alpha.other.value_or(as_gpt2 ? 0.05 : 0.5);
  }
  site->blend.sharing = c.alpha.sharing;
  // The authors' GPT-2 code computes the softmax of shared weights and then uses the raw weights.
  site->blend.raw =
      as_gpt2 && c.alpha.kind == "learned" && c.alpha.sharing.value_or(c.gate.sharing) == "shared";
  out->site = {"layer", site};
  return out;
}

std::vector<AdapterSpec> molex_specs(const Config& config, const StackShape& shape) {
  const auto& c = dynamic_cast<const MolexConfig&>(config);
  const bool inclusive = c.compat == "reference" && !shape.causal;
  return mixture_config_of(c, mixed_layers(c.layers, shape.layers, inclusive), shape)
      ->specs(shape, "molex");
}

// Null with compat: reference, whose behavior differs by model.
std::unique_ptr<Config> molex_mixture(const Config& config) {
  const auto& c = dynamic_cast<const MolexConfig&>(config);
  if (c.compat == "reference") return nullptr;
  return mixture_config_of(c, mixed_layers(c.layers, std::nullopt, false),
                           {.layers = 0, .causal = false});
}

}  // namespace

void register_molex(Registry<MethodEntry>& registry) {
  registry.add({"molex", "arXiv 2503.11144",
                "Each layer's output is blended with that of a layer selected by a gate.",
                [] { return std::make_unique<MolexConfig>(); }, molex_specs, molex_mixture});
}

}  // namespace mixtune
