// Any mixture of low-rank experts, said in the grammar: y = W x + sum_i g_i (alpha / rank) B_i A_i
// x with one router for each linear, or sum_i g_i F_i(x) with one for each feed-forward F; g from
// R x by a squashing, a selection, an entropy switch that sends undecided tokens to all experts,
// and auxiliary losses of the routers. DynMoLE, MoLA, LoRAMoE and MixLoRA are sentences of this
// kind; a new one is a recipe.
#include "methods/mixture.h"

#include "base/config.h"
#include "base/scalars.h"
#include "moe/by_layer.h"
#include "moe/loss/objective.h"

namespace molt {

void RouterConfig::fields(FieldVisitor& v) {
  v.field("init", init,
          "uniform: U(-b, b), b = sqrt(6 / ((1 + range) in)); normal: N(0, deviation).",
          {.choices = {"uniform", "normal"}});
  v.field("range", range, "Of uniform; 5 gives 1 / sqrt(in).", {.minimum = 0, .maximum = 1e6});
  v.field("deviation", deviation, "Of normal.", {.minimum = 0, .maximum = 100});
  v.field("jitter", jitter, "In training routers read x times U(1 - jitter, 1 + jitter).",
          {.minimum = 0, .below = 1});
  v.field("noise", noise, "In training N(0, noise) is added to the routers' scores.",
          {.minimum = 0, .maximum = 100});
  v.field("learning_rate", learning_rate, "Of the routers; null: that of the run.", {.minimum = 0});
  v.field("weight_decay", weight_decay, "Of the routers; null: that of the run.", {.minimum = 0});
}

void BroadcastConfig::fields(FieldVisitor& v) {
  v.field("threshold", threshold,
          "A token whose entropy is above it uses all experts; 1 with normalised entropies: off.",
          {.maximum = 100, .above = 0});
  v.field("entropy", entropy, "Which entropy.", {.choices = {"tsallis", "renyi", "shannon"}});
  v.field("index", index, "Of tsallis and renyi: 1, or 0.01 or more away from it unless eps is 0.",
          {.maximum = 2, .above = 0});
  v.field("eps", eps, "Added to every probability.", {.minimum = 0, .maximum = 0.1});
  v.field("normalised", normalised, "Divide by the largest value.");
}

void AttentionConfig::fields(FieldVisitor& v) {
  v.field("targets", targets, "Linears with plain updates; an empty list: none.");
  v.field("rank", rank, "Of an update.", {.minimum = 1, .maximum = 65536});
  v.field("alpha", alpha, "An update is scaled by alpha / rank.", {.above = 0});
}

void ExpertsConfig::fields(FieldVisitor& v) {
  v.field("targets", targets,
          "Linears with experts: roles (query, ffn_up, ...), attention, feed-forward, all-linear, "
          "ends of module names or regular expressions.");
  v.field("layers", layers, "Block numbers with experts; null: all.");
  v.field("experts", experts,
          "For each linear: a number, a list of one for each layer, or triangle, "
          "inverted_triangle, hourglass, rectangle.",
          {.check = experts_expected});
  v.field("rank", rank, "Of an expert: a number, or a list of one for each layer.",
          {.check = numbers_expected});
  v.field("expert_ranks", expert_ranks,
          "A rank for each expert, in place of rank; layers with fewer experts take the first.",
          {.minimum = 1, .maximum = 4096});
  v.field("alpha", alpha, "An expert is scaled by alpha / rank.", {.above = 0});
  v.field("rslora", rslora, "Scale by alpha / sqrt(rank) instead.");
  v.field("dropout", dropout, "Dropout on the input of the experts; routers see it without.",
          {.minimum = 0, .below = 1});
  v.field("dropout_mask", dropout_mask,
          "group: one mask for the linears that read the same input; expert: one for each expert "
          "(as released, dearer).",
          {.choices = {"group", "expert"}});
  v.field("init", init,
          "Of A; uniform: U(-1/sqrt(in), 1/sqrt(in)); gaussian: N(0, 1/rank). B is 0.",
          {.choices = {"uniform", "gaussian"}});
  v.nested("router", router, "The routers' weights.");
}

MixtureConfig::MixtureConfig() : MixtureConfig(ExpertsConfig()) {}

MixtureConfig::MixtureConfig(const ExpertsConfig& shared)
    : ExpertsConfig(shared),
      squash(part(squashing_choices(), "softmax")),
      select(part(select_choices(), "top_k")) {}

void MixtureConfig::fields(FieldVisitor& v) {
  v.field("site", site,
          "linear: experts for each of the linears, with a router of its own; feed_forward: an "
          "expert is a whole feed-forward with updates of all its linears, a router for each.",
          {.choices = {"linear", "feed_forward"}});
  ExpertsConfig::fields(v);
  v.choice("squash", squash, squashing_choices(), "What a router's scores become.");
  v.choice("select", select, select_choices(), "Which experts a token uses.");
  v.nested("broadcast", broadcast, "The entropy switch.");
  v.field("renormalise", renormalise, "The weights of a token's experts sum to one.");
  v.field("capacity", capacity,
          "Tokens of a sequence that one expert takes in training; the others go without it, or, "
          "of feed_forward, pass through. At inference, and with null, there is no limit.",
          {.minimum = 1});
  v.choices("losses", losses, objective_choices(), "Auxiliary losses of the routers.");
  v.nested("attention", attention, "Plain updates on linears that have no experts.");
}

// Budgets and entropies take the weights of a token to sum to one.
std::optional<FieldProblem> MixtureConfig::check_shares() const {
  if (make_squashing(squash)->gives_shares()) return std::nullopt;
  const std::string because = " (squash is " + squash.name + ")";
  if (make_select(select)->needs_shares())
    return FieldProblem{"select", "top_k or all" + because, "Choose one, or squash: softmax."};
  if (routing().broadcast->is_on())
    return FieldProblem{"broadcast", "off" + because, "Leave it out, or take squash: softmax."};
  for (const Choice& loss : losses)
    if (objective_of(loss)->needs_shares())
      return FieldProblem{"losses", "no " + loss.name + because, "Leave it out."};
  return std::nullopt;
}

std::optional<FieldProblem> MixtureConfig::check() const {
  if (const auto problem = check_shares()) return problem;
  if (site == "linear") return std::nullopt;
  if (expert_ranks)
    return FieldProblem{"expert_ranks", "null (site is feed_forward)", "Set rank instead."};
  if (targets != std::vector<std::string>{"feed-forward"})
    return FieldProblem{"targets", "[feed-forward] (site is feed_forward: all its linears)",
                        "Leave it out; plain updates have attention.targets."};
  if (dropout_mask != "group")
    return FieldProblem{"dropout_mask", "group (site is feed_forward)", "Leave it out."};
  return std::nullopt;
}

void MixtureConfig::fill(MixtureBank& bank, int64_t layers, const std::string& method) const {
  bank.experts = by_layer(experts, std::max<int64_t>(layers, 1), method + ".experts");
  bank.ranks = by_layer(rank, std::max<int64_t>(layers, 1), method + ".rank");
  bank.alpha = alpha;
  bank.dropout = dropout;
  bank.rank_stabilised = rslora;
  bank.starts_gaussian = init == "gaussian";
  bank.router_range = router.range;
  if (router.init == "normal") bank.router_deviation = router.deviation;
  bank.router_settings = {router.learning_rate, router.weight_decay};
  bank.noise = {.jitter = router.jitter, .deviation = router.noise};
  bank.capacity = capacity;
  bank.method = method;
}

Routing MixtureConfig::routing() const {
  Routing out{.select = make_select(select),
              .broadcast = std::nullopt,
              .renormalises = renormalise,
              .squash = make_squashing(squash)};
  out.broadcast = Broadcast{
      {entropy_kind(broadcast.entropy), broadcast.index, broadcast.eps, broadcast.normalised},
      broadcast.threshold};
  return out;
}

std::vector<Sentence> MixtureConfig::sentences(int64_t layers, const std::string& method) const {
  std::vector<Sentence> out;
  if (!attention.targets.empty()) {
    auto plain = std::make_shared<LowRankBank>();
    plain->method = method + ".attention";
    plain->rank = attention.rank;
    plain->alpha = attention.alpha;
    plain->dropout = dropout;
    plain->rank_stabilised = rslora;
    out.push_back({.sites = {attention.targets, this->layers}, .bank = plain});
  }
  std::shared_ptr<MixtureBank> bank;
  if (site == "feed_forward") {
    bank = std::make_shared<FeedForwardExpertBank>();
  } else {
    auto linears = std::make_shared<ExpertBank>();
    if (expert_ranks) linears->expert_ranks = *expert_ranks;
    linears->mask_for_each_expert = dropout_mask == "expert";
    bank = linears;
  }
  fill(*bank, layers, method);
  out.push_back({.sites = {targets, this->layers},
                 .bank = bank,
                 .router = std::nullopt,
                 .routing = routing(),
                 .losses = losses});
  return out;
}

Choice weighted_loss(const std::string& name, double weight) {
  Choice out = part(objective_choices(), name);
  set(out, "weight", weight);
  return out;
}

void set(Choice& part, const std::string& option, const std::string& value) {
  ConfigLayers layers;
  layers.add_text(option + ": " + value, part.name);
  layers.apply(*part.config);
}

void set(Choice& part, const std::string& option, double value) {
  set(part, option, print_number(value));
}

void register_mixture(Registry<MethodEntry>& registry) {
  registry.add({"mixture", "",
                "Low-rank experts of linears or feed-forwards, routed by token, every part named.",
                [] { return std::make_unique<MixtureConfig>(); },
                [](const Config& config, int64_t layers) {
                  return dynamic_cast<const MixtureConfig&>(config).sentences(layers, "mixture");
                },
                [](const Config& config) {
                  return std::make_unique<MixtureConfig>(
                      dynamic_cast<const MixtureConfig&>(config));
                }});
}

}  // namespace molt
