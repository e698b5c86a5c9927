// The general mixture: y = W x + sum_i g_i (lora_alpha / r) B_i A_i x with one router per linear,
// or y = sum_i g_i F_i(x) with one router per feed-forward F. g results from gate, routing scope,
// scoring, selection and entropy switch; routers can have auxiliary losses. DynMoLE, MoLA, LoRAMoE
// and MixLoRA are configurations of it, and so is MoLEx, whose experts are the model's layers. A
// new mixture needs only a recipe.
#include "methods/mixture.h"

#include <algorithm>

#include "base/config.h"
#include "base/config_json.h"
#include "base/scalars.h"
#include "moe/by_layer.h"
#include "moe/experts/adapters.h"
#include "moe/loss/router_loss.h"

namespace mixtune {
namespace {

// "/router/noise" as "router.noise", "/losses/0/name" as "losses".
std::string option_of(const std::string& pointer) {
  std::string out = pointer.substr(1);
  std::replace(out.begin(), out.end(), '/', '.');
  const size_t item = out.find_first_of("0123456789");
  return item == std::string::npos ? out : out.substr(0, item - 1);
}

// The first option in which two configs of the same type differ.
std::optional<std::string> first_difference(const Config& a, const Config& b) {
  const Json one = to_json(a).flatten(), other = to_json(b).flatten();
  for (const auto& [pointer, value] : one.items())
    if (!other.contains(pointer) || other.at(pointer) != value) return option_of(pointer);
  return std::nullopt;
}

}  // namespace

void RouterConfig::fields(FieldVisitor& v) {
  v.field("init", init,
          "uniform: U(-b, b) with b = sqrt(6 / ((1 + range) in)); normal: standard deviation std.",
          {.choices = {"uniform", "normal"}});
  v.field("range", range, "Parameter of init: uniform; 5 gives b = 1 / sqrt(in).",
          {.minimum = 0, .maximum = 1e6});
  v.field("std", deviation, "Standard deviation of init: normal.", {.minimum = 0, .maximum = 100});
  v.field("jitter_noise", jitter,
          "In training, router inputs are multiplied by U(1 - jitter_noise, 1 + jitter_noise).",
          {.minimum = 0, .below = 1});
  v.field("noise", noise,
          "Standard deviation of the Gaussian noise added to router scores in training.",
          {.minimum = 0, .maximum = 100});
  v.field("learning_rate", learning_rate, "Learning rate of the routers; null: that of the run.",
          {.minimum = 0});
  v.field("weight_decay", weight_decay, "Weight decay of the routers; null: that of the run.",
          {.minimum = 0});
}

void ScopeConfig::fields(FieldVisitor& v) {
  v.field(
      "level", level,
      "Scope of one routing decision: token, sequence, prompt or batch; null: token, or with site: "
      "layer prompt on a decoder and sequence on an encoder.",
      {.choices = level_names()});
  v.field("pool", of,
          "What is pooled over the scope: the mean of scores or of probabilities, or, with site: "
          "layer, a majority of votes; null: scores, or with site: layer votes.",
          {.choices = {"votes", "probabilities", "scores"}});
  v.field("prompt_tokens", prompt_tokens,
          "Number of initial tokens used as the prompt if a sequence has none (level: prompt).",
          {.minimum = 1, .maximum = 1 << 20});
}

void EntropySwitchConfig::fields(FieldVisitor& v) {
  v.field("threshold", threshold,
          "A token uses all experts if its routing entropy exceeds this value; 1 with normalized "
          "entropies: off.",
          {.maximum = 100, .above = 0});
  v.field("type", entropy, "Entropy function.", {.choices = {"tsallis", "renyi", "shannon"}});
  v.field("index", index,
          "Index of tsallis or renyi: 1, or at least 0.01 away from 1 unless eps is 0.",
          {.maximum = 2, .above = 0});
  v.field("eps", eps, "Constant added to every probability.", {.minimum = 0, .maximum = 0.1});
  v.field("normalize", normalized, "Divide entropies by their maximum.");
}

void AttentionConfig::fields(FieldVisitor& v) {
  v.field("target_modules", targets, "Linear layers with plain LoRA updates; an empty list: none.");
  v.field("r", rank, "Rank of these updates.", {.minimum = 1, .maximum = 65536});
  v.field("lora_alpha", alpha, "These updates are scaled by lora_alpha / r.", {.above = 0});
}

void ExpertsConfig::fields(FieldVisitor& v) {
  v.field("target_modules", targets,
          "Linear layers with experts: roles (query, ffn_up, ...), attention, feed-forward, "
          "all-linear, ends of module names, or regular expressions.");
  v.field("layers_to_transform", layers, "Indices of the layers with experts; null: all.");
  v.field("num_experts", experts,
          "Number of experts: a number, a list with one per layer, or triangle, "
          "inverted_triangle, hourglass, rectangle.",
          {.check = experts_expected});
  v.field("r", rank, "Rank of an expert: a number, or a list with one per layer.",
          {.check = numbers_expected});
  v.field("expert_ranks", expert_ranks,
          "Rank of each expert, in place of r; layers with fewer experts use the first ones.",
          {.minimum = 1, .maximum = 4096});
  v.field("lora_alpha", alpha, "Expert outputs are scaled by lora_alpha / r.", {.above = 0});
  v.field("use_rslora", rslora, "Scale by lora_alpha / sqrt(r) instead (rsLoRA).");
  v.field("lora_dropout", dropout,
          "Dropout on the input of the experts; the routers' input has none.",
          {.minimum = 0, .below = 1});
  v.field(
      "dropout_mask", dropout_mask,
      "group: one mask for all linear layers that read the same input; expert: one mask per expert "
      "(matches the authors' code; slower).",
      {.choices = {"group", "expert"}});
  v.field("init_lora_weights", init,
          "Initialization of A; uniform: U(-1/sqrt(in), 1/sqrt(in)); gaussian: standard deviation "
          "1/r. B starts at 0.",
          {.choices = {"uniform", "gaussian"}});
  v.nested("router", router, "Initialization, noise and optimizer settings of the routers.");
}

MixtureConfig::MixtureConfig() : MixtureConfig(ExpertsConfig()) {}

MixtureConfig::MixtureConfig(const ExpertsConfig& shared)
    : ExpertsConfig(shared),
      site(part(site_choices(), "linear")),
      gate(linear_gate()),
      scoring(part(scoring_choices(), "softmax")),
      selection(part(selection_choices(), "top_k")) {}

void MixtureConfig::fields(FieldVisitor& v) {
  v.choice("site", site, site_choices(), "Type of the experts.");
  v.choice("over", over, inner_method_choices(),
           "Method that adapts the layers (site: layer only); null: none.", {.optional = true});
  ExpertsConfig::fields(v);
  v.nested("scope", scope, "Scope of one routing decision and what is pooled over it.");
  v.choice("gate", gate, gate_choices(), "Computation of the expert scores.");
  v.choice("scoring", scoring, scoring_choices(), "Conversion of scores to routing weights.");
  v.choice("selection", selection, selection_choices(), "Selection of the experts per token.");
  v.nested("entropy_switch", entropy_switch, "Tokens with high routing entropy use all experts.");
  v.field("renormalize", renormalize,
          "Rescale the weights of a token's selected experts to sum to 1.");
  v.field("capacity", capacity,
          "Maximum number of tokens per sequence and expert in training; the other tokens bypass "
          "the expert; null: no limit. Inference has no limit.",
          {.minimum = 1});
  v.choices("losses", losses, router_loss_choices(), "Auxiliary losses of the routers.");
  v.nested("attention", attention, "Plain LoRA updates on linear layers without experts.");
}

// Budgets and entropies require the weights of a token to sum to one.
std::optional<FieldProblem> MixtureConfig::check_shares() const {
  if (make_scoring(scoring)->gives_shares()) return std::nullopt;
  const std::string because = " (scoring is " + scoring.name + ")";
  if (make_selection(selection)->needs_shares())
    return FieldProblem{"selection", "top_k or all" + because,
                        "Choose one of them, or set scoring: softmax."};
  if (routing().entropy_switch->is_on())
    return FieldProblem{"entropy_switch", "off" + because,
                        "Leave it out, or set scoring: softmax."};
  for (const Choice& loss : losses)
    if (router_loss_of(loss)->needs_shares())
      return FieldProblem{"losses", "no " + loss.name + because, "Leave it out."};
  return std::nullopt;
}

std::optional<FieldProblem> MixtureConfig::check_scope() const {
  const std::string level = scope.level.value_or(""), of = scope.of.value_or(""),
                    here = " (site is " + site.name + ")";
  if (site.name == "layer") {
    if (level == "token")
      return FieldProblem{"scope.level", "sequence, prompt, batch or null" + here, "Choose one."};
    if (of == "scores")
      return FieldProblem{"scope.pool", "votes, probabilities or null" + here, "Choose one."};
    return std::nullopt;
  }
  if (of == "votes")
    return FieldProblem{"scope.pool", "scores, probabilities or null" + here, "Choose one."};
  if (!of.empty() && (level.empty() || level == "token"))
    return FieldProblem{"scope.pool", "null (each token decides)",
                        "Leave it out, or set scope.level."};
  return std::nullopt;
}

// The router's initialization options apply to gates that are a product; other gates initialize
// themselves.
std::optional<FieldProblem> MixtureConfig::check_router() const {
  if (is_product(gate)) return std::nullopt;
  RouterConfig read = router;
  const RouterConfig defaults;
  read.init = defaults.init;
  read.range = defaults.range;
  read.deviation = defaults.deviation;
  RouterConfig own = router;
  if (const auto field = first_difference(own, read))
    return FieldProblem{"router." + *field, "left out (gate is " + gate.name + ")", "Remove it."};
  return std::nullopt;
}

std::optional<FieldProblem> MixtureConfig::check_feed_forward() const {
  if (expert_ranks)
    return FieldProblem{"expert_ranks", "null (site is feed_forward)", "Set r instead."};
  if (targets != std::vector<std::string>{"feed-forward"})
    return FieldProblem{
        "target_modules", "[feed-forward] (site is feed_forward: all its linear layers)",
        "Leave it out; attention.target_modules selects linear layers with plain LoRA updates."};
  if (dropout_mask != "group")
    return FieldProblem{"dropout_mask", "group (site is feed_forward)", "Leave it out."};
  return std::nullopt;
}

// Layer experts have no low-rank weights and no token routing, so the options of both are rejected.
std::optional<FieldProblem> MixtureConfig::check_layer() const {
  MixtureConfig read;  // the options that apply to layer experts; all others at their defaults
  read.site = site;
  read.over = over;
  read.layers = layers;
  read.scope = scope;
  read.gate = gate;
  read.router.learning_rate = router.learning_rate;
  read.router.weight_decay = router.weight_decay;
  if (const auto field = first_difference(*this, read))
    return FieldProblem{
        *field, "left out (site is layer)",
        "Remove it; options of the method that adapts the layers belong under over."};
  return std::nullopt;
}

std::optional<FieldProblem> MixtureConfig::check() const {
  if (const auto problem = check_scope()) return problem;
  if (site.name == "layer") return check_layer();
  if (!over.name.empty())
    return FieldProblem{
        "over", "null (site is " + site.name + ")",
        "Leave it out; attention.target_modules selects linear layers with plain LoRA updates."};
  if (const auto problem = check_router()) return problem;
  if (const auto problem = check_shares()) return problem;
  return site.name == "feed_forward" ? check_feed_forward() : std::nullopt;
}

void MixtureConfig::fill(RoutedExperts& adapter, int64_t layers, const std::string& method) const {
  adapter.experts = by_layer(experts, std::max<int64_t>(layers, 1), method + ".num_experts");
  adapter.ranks = by_layer(rank, std::max<int64_t>(layers, 1), method + ".r");
  adapter.alpha = alpha;
  adapter.dropout = dropout;
  adapter.rank_stabilized = rslora;
  adapter.starts_gaussian = init == "gaussian";
  adapter.router_range = router.range;
  if (router.init == "normal") adapter.router_deviation = router.deviation;
  adapter.router_settings = {router.learning_rate, router.weight_decay};
  adapter.noise = {.jitter = router.jitter, .deviation = router.noise};
  adapter.capacity = capacity;
  adapter.method = method;
}

RoutingScope MixtureConfig::scope_of(const StackShape& shape) const {
  const bool of_layers = site.name == "layer";
  const std::string level_default = !of_layers ? "token" : shape.causal ? "prompt" : "sequence";
  const std::string what = scope.of.value_or(of_layers ? "votes" : "scores");
  return {.level = level_named(scope.level.value_or(level_default)),
          .of = what == "votes"    ? RoutingScope::Of::votes
                : what == "scores" ? RoutingScope::Of::scores
                                   : RoutingScope::Of::probabilities,
          .prompt_tokens = scope.prompt_tokens};
}

Routing MixtureConfig::routing() const {
  Routing out{.selection = make_selection(selection),
              .entropy_switch = std::nullopt,
              .renormalizes = renormalize,
              .scoring = make_scoring(scoring),
              .gate = gate};
  out.entropy_switch = EntropySwitch{{entropy_kind(entropy_switch.entropy), entropy_switch.index,
                                      entropy_switch.eps, entropy_switch.normalized},
                                     entropy_switch.threshold};
  return out;
}

std::vector<AdapterSpec> MixtureConfig::of_layers(const StackShape& shape,
                                                  const std::string& method) const {
  const auto& own = dynamic_cast<const LayerSiteConfig&>(*site.config);
  std::vector<AdapterSpec> out;
  if (!over.name.empty()) out = specs_of(over, shape);
  RouterSpec spec;
  spec.scope = scope_of(shape);
  spec.gate = gate;
  spec.settings = {router.learning_rate, router.weight_decay};
  out.push_back(own.spec(std::move(spec), layers, shape, method));
  return out;
}

std::vector<AdapterSpec> MixtureConfig::specs(const StackShape& shape,
                                              const std::string& method) const {
  if (site.name == "layer") return of_layers(shape, method);
  std::vector<AdapterSpec> out;
  if (!attention.targets.empty()) {
    auto plain = std::make_shared<LoraAdapter>();
    plain->method = method + ".attention";
    plain->rank = attention.rank;
    plain->alpha = attention.alpha;
    plain->dropout = dropout;
    plain->rank_stabilized = rslora;
    out.push_back({.sites = {attention.targets, layers}, .adapter = plain});
  }
  std::shared_ptr<RoutedExperts> adapter;
  if (site.name == "feed_forward") {
    adapter = std::make_shared<FeedForwardExperts>();
  } else {
    auto linears = std::make_shared<LoraExperts>();
    if (expert_ranks) linears->expert_ranks = *expert_ranks;
    linears->mask_for_each_expert = dropout_mask == "expert";
    adapter = linears;
  }
  fill(*adapter, shape.layers, method);
  adapter->causal = shape.causal;
  Routing tokens = routing();
  tokens.scope = scope_of(shape);
  out.push_back({.sites = {targets, layers},
                 .adapter = adapter,
                 .router = std::nullopt,
                 .routing = std::move(tokens),
                 .losses = losses});
  return out;
}

Choice weighted_loss(const std::string& name, double weight) {
  Choice out = part(router_loss_choices(), name);
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
                "Configurable mixture: experts on linear layers or feed-forwards, or the model's "
                "own layers.",
                [] { return std::make_unique<MixtureConfig>(); },
                [](const Config& config, const StackShape& shape) {
                  return dynamic_cast<const MixtureConfig&>(config).specs(shape, "mixture");
                },
                [](const Config& config) {
                  return std::make_unique<MixtureConfig>(
                      dynamic_cast<const MixtureConfig&>(config));
                }});
}

}  // namespace mixtune
