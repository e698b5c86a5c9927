// MoLEx (Teo and Nguyen 2025, arXiv 2503.11144): at each mixed position the output of the block is
// blended with that of another block of the same model, which a gate chooses; composes with the
// method under `over`. In the released code padding votes, a batch shares one choice, and the task
// never reaches the gate: here real tokens vote, by sequence (in decoders, the prompt for its
// sequence) unless asked, and `gate.gradient` can let the task reach the gate. `compat: released`
// goes back (packed batches have no padding to vote). docs/design.md says what else is left open.
#include "methods/method.h"
#include "moe/bank/banks.h"

namespace molt {
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
        "What the cosine gate normalises over; null: feature, or sequence under compat: released.",
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
            "learned and on an encoder under compat: released.");
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

// `inclusive`: the released RoBERTa code mixes blocks 0 to k for a limit of k; its GPT-2 code mixes
// k of them.
std::vector<int64_t> mixed_layers(const std::string& text, int64_t layers, bool inclusive) {
  std::vector<int64_t> out;
  if (text.front() == '[') {
    for (size_t at = 1; at < text.size();) {
      const size_t end = text.find_first_not_of("0123456789", at);
      if (end > at) out.push_back(std::stoll(text.substr(at, end - at)));
      at = end + 1;
    }
    return out;
  }
  int64_t count = text == "all" ? layers : std::stoll(text) + (inclusive ? 1 : 0);
  if (count > layers && !inclusive)
    throw UserError("molex.layers",
                    "is " + text + "; the model has " + std::to_string(layers) + " blocks",
                    "Lower it, or write all.");
  count = std::min(count, layers);
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
    v.field("layers", layers, "Positions that mix: all, a count from the first, or a list.",
            {.check = layers_expected});
    v.field("vote", vote,
            "Who chooses for whom: sequence, prompt (for its whole sequence) or batch; null: batch "
            "under compat: released, else prompt on a decoder and sequence on an encoder.",
            {.choices = {"sequence", "prompt", "batch"}});
    v.field("prompt_tokens", prompt_tokens,
            "vote: prompt, of a text without a prompt: so many tokens at its start vote.",
            {.minimum = 1, .maximum = 1 << 20});
    v.field("reduce", reduce, "vote: most tokens; mean: highest mean probability.",
            {.choices = {"vote", "mean"}});
    v.field(
        "control", control,
        "Does the gate matter? none; random: frozen as drawn; uniform: drawn anew each step; self; "
        "neighbour.",
        {.choices = {"none", "random", "uniform", "self", "neighbour"}});
    v.field("compat", compat, "released: exactly what the published code does.",
            {.choices = {"none", "released"}});
  }
};

ChoiceSource source_of(const std::string& control) {
  if (control == "random") return ChoiceSource::frozen;
  if (control == "uniform") return ChoiceSource::uniform;
  if (control == "self") return ChoiceSource::self;
  if (control == "neighbour") return ChoiceSource::neighbour;
  return ChoiceSource::learned;
}

Pool::Unit unit_of(const MolexConfig& c, bool causal) {
  if (c.vote) {
    if (*c.vote == "batch") return Pool::Unit::batch;
    return *c.vote == "prompt" ? Pool::Unit::prompt : Pool::Unit::sequence;
  }
  if (c.compat == "released") return Pool::Unit::batch;
  return causal ? Pool::Unit::prompt : Pool::Unit::sequence;
}

RouterSpec router_of(const MolexConfig& c, bool causal) {
  const bool released = c.compat == "released";
  RouterSpec router;
  router.pool.unit = unit_of(c, causal);
  router.pool.prompt_tokens = c.prompt_tokens;
  router.pool.of = c.reduce == "mean" ? Pool::Of::probabilities : Pool::Of::votes;
  router.pool.detach_first = c.gate.detach_input;
  router.score.part = c.gate.kind;
  router.score.projection = c.gate.projection;
  router.score.sequence_axis =
      c.gate.cosine_axis.value_or(released ? "sequence" : "feature") == "sequence";
  router.source = source_of(c.control);
  const bool has_gate =
      router.source == ChoiceSource::learned || router.source == ChoiceSource::frozen;
  if (has_gate && router.source == ChoiceSource::learned)
    router.gradient = c.gate.gradient == "probability"        ? GateGradient::probability
                      : c.gate.gradient == "straight_through" ? GateGradient::straight_through
                                                              : GateGradient::none;
  router.per_site = c.gate.sharing == "per_layer";
  router.settings = {c.gate.learning_rate, c.gate.weight_decay};
  return router;
}

Blend blend_of(const MolexConfig& c, bool causal) {
  const bool released = c.compat == "released", as_gpt2 = released && causal;
  const bool learned = c.alpha.kind == "learned";
  // Even in the released RoBERTa code, whatever the kind, and where the weights learn. Fixed, an
  // even blend keeps a model from learning (bench/results/quality.md).
  const bool even = !as_gpt2 && (released || learned);
  Blend out{c.alpha.main.value_or(even ? 0.5 : 0.95), c.alpha.other.value_or(even ? 0.5 : 0.05)};
  out.learned = learned;
  out.per_site = c.alpha.sharing.value_or(c.gate.sharing) == "per_layer";
  // The released GPT-2 code computes the softmax of shared weights and then uses the weights.
  out.raw = out.learned && as_gpt2 && !out.per_site;
  return out;
}

std::vector<Sentence> molex_sentences(const Config& config, const StackShape& shape) {
  const auto& c = dynamic_cast<const MolexConfig&>(config);
  const bool released = c.compat == "released";
  std::vector<Sentence> out;
  if (!c.over.name.empty()) out = sentences_of(c.over, shape);
  auto bank = std::make_shared<LayerBank>();
  bank->mixed = mixed_layers(c.layers, shape.layers, released && !shape.causal);
  bank->causal = shape.causal;
  Sentence mix{.sites = {}, .bank = bank, .router = router_of(c, shape.causal)};
  mix.blend = blend_of(c, shape.causal);
  mix.balance = c.balance;
  mix.evaluate_twice = released;
  out.push_back(mix);
  return out;
}

}  // namespace

void register_molex(Registry<MethodEntry>& registry) {
  registry.add({"molex", "arXiv 2503.11144",
                "Each block's output is blended with that of a block that a gate chooses.",
                [] { return std::make_unique<MolexConfig>(); }, molex_sentences});
}

}  // namespace molt
