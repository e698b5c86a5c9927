// MoLEx (Teo and Nguyen 2025, arXiv 2503.11144): at each mixed position the output of the block is
// blended with that of another block of the same model, which a gate chooses; composes with the
// method under `over`. In the released code padding votes, a batch shares one choice, and the task
// never reaches the gate: here real tokens vote, by sequence (in decoders, the prompt for its
// sequence) unless asked, and `gate.gradient` can let the task reach the gate. `compat: reference`
// goes back (packed batches have no padding to vote). docs/design.md says what else is left open.
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
    v.field("kind", kind, "linear: W z + b; cosine: scaled cosine of a projection.",
            {.choices = {"linear", "cosine"}});
    v.field("sharing", sharing, "One gate for all blocks, or one for each.",
            {.choices = {"shared", "per_layer"}});
    v.field("gradient", gradient,
            "How the task reaches the gate: none (released), probability, straight_through.",
            {.choices = {"none", "probability", "straight_through"}});
    v.field("projection", projection, "Width of the cosine gate's projection.",
            {.minimum = 1, .maximum = 65536});
    v.field(
        "cosine_axis", cosine_axis,
        "What the cosine gate normalises over; null: feature, or sequence under compat: reference.",
        {.choices = {"feature", "sequence"}});
    v.field("detach_input", detach_input, "Keep the gate's gradient out of the hidden states.");
    v.field("learning_rate", learning_rate, "Of gate and mixing weights; null: that of the run.",
            {.minimum = 0});
    v.field("weight_decay", weight_decay, "Of gate and mixing weights, biases included.",
            {.minimum = 0});
  }
};

struct AlphaConfig final : Config {
  std::string kind = "fixed";
  std::optional<double> main, other;
  std::optional<std::string> sharing;

  void fields(FieldVisitor& v) override {
    v.field("kind", kind, "fixed: main and other as given; learned: their softmax, trained.",
            {.choices = {"fixed", "learned"}});
    v.field("main", main,
            "Weight of the block's own output (learned: its logit); null: 0.95, or 0.5 where it is "
            "learned and on an encoder under compat: reference.");
    v.field("other", other,
            "Weight of the chosen block's output (learned: its logit); null: 0.05, or 0.5 where "
            "main is.");
    v.field("sharing", sharing, "Of learned weights; null: as the gate.",
            {.choices = {"shared", "per_layer"}});
  }
};

// "all", a number of positions from the first, or a list.
std::optional<std::string> layers_expected(const std::string& text) {
  const auto digits = [](const std::string& s) {
    return !s.empty() && s.size() < 7 && s.find_first_not_of("0123456789") == std::string::npos;
  };
  if (text == "all" || digits(text)) return std::nullopt;
  if (text.size() >= 2 && text.front() == '[' && text.back() == ']' &&
      text.find_first_not_of("0123456789, []") == std::string::npos)
    return std::nullopt;
  return "all, a count, or a list of block numbers such as [0, 1, 2]";
}

// The blocks that mix, of so many where that is known; nothing: all. `inclusive`: the released
// RoBERTa code mixes blocks 0 to k for a limit of k; its GPT-2 code mixes k of them.
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
                    "is " + text + "; the model has " + std::to_string(*layers) + " blocks",
                    "Lower it, or write all.");
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
    v.choice("over", over, inner_method_choices(), "The method that adapts the blocks.",
             {.optional = true});
    v.nested("gate", gate, "What scores the blocks.");
    v.nested("alpha", alpha, "How the two outputs are blended.");
    v.field("balance", balance, "Weight of the load-balancing loss; 0: off.", {.minimum = 0});
    v.field("layers_to_transform", layers,
            "Positions that mix: all, a count from the first, or a list.",
            {.check = layers_expected});
    v.field("scope", vote,
            "Who chooses for whom: sequence, prompt (for its whole sequence) or batch; null: batch "
            "under compat: reference, else prompt on a decoder and sequence on an encoder.",
            {.choices = {"sequence", "prompt", "batch"}});
    v.field("prompt_tokens", prompt_tokens,
            "scope: prompt, of a text without a prompt: so many tokens at its start vote.",
            {.minimum = 1, .maximum = 1 << 20});
    v.field("reduce", reduce, "vote: most tokens; mean: highest mean probability.",
            {.choices = {"vote", "mean"}});
    v.field(
        "control", control,
        "Does the gate matter? none; random: frozen as drawn; uniform: drawn anew each step; self; "
        "neighbor.",
        {.choices = {"none", "random", "uniform", "self", "neighbor"}});
    v.field("compat", compat, "reference: exactly what the published code does.",
            {.choices = {"none", "reference"}});
  }
};

// What the method says in the grammar, of `mixed` blocks (null: all). `shape` is read under compat:
// released alone.
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
  if (reference) {  // even in the RoBERTa code, fixed or learned; in the GPT-2 code not
    site->blend.own = c.alpha.main.value_or(as_gpt2 ? 0.95 : 0.5);
    site->blend.other = c.alpha.other.value_or(as_gpt2 ? 0.05 : 0.5);
  }
  site->blend.sharing = c.alpha.sharing;
  // The released GPT-2 code computes the softmax of shared weights and then uses the weights.
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

// Without the released code's ways, which differ by model.
std::unique_ptr<Config> molex_mixture(const Config& config) {
  const auto& c = dynamic_cast<const MolexConfig&>(config);
  if (c.compat == "reference") return nullptr;
  return mixture_config_of(c, mixed_layers(c.layers, std::nullopt, false),
                           {.layers = 0, .causal = false});
}

}  // namespace

void register_molex(Registry<MethodEntry>& registry) {
  registry.add({"molex", "arXiv 2503.11144",
                "Each block's output is blended with that of a block that a gate chooses.",
                [] { return std::make_unique<MolexConfig>(); }, molex_specs, molex_mixture});
}

}  // namespace mixtune
