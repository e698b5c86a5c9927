// Any mixture, said in the grammar: y = W x + sum_i g_i (alpha / rank) B_i A_i x with one router
// for each linear, or sum_i g_i F_i(x) with one for each feed-forward F; g from the router's scores
// by a pool, a squashing, a selection, an entropy switch that sends undecided tokens to all
// experts, and auxiliary losses of the routers. DynMoLE, MoLA, LoRAMoE and MixLoRA are sentences of
// this kind, MoLEx is one whose experts are the model's blocks; a new one is a recipe.
#include "methods/mixture.h"

#include <algorithm>

#include "base/config.h"
#include "base/config_json.h"
#include "base/scalars.h"
#include "moe/bank/banks.h"
#include "moe/by_layer.h"
#include "moe/loss/objective.h"

namespace mixtune {
namespace {

// "/router/noise" as "router.noise", "/losses/0/name" as "losses".
std::string option_of(const std::string& pointer) {
  std::string out = pointer.substr(1);
  std::replace(out.begin(), out.end(), '/', '.');
  const size_t item = out.find_first_of("0123456789");
  return item == std::string::npos ? out : out.substr(0, item - 1);
}

// The first option in which two configs of one kind differ.
std::optional<std::string> first_difference(const Config& a, const Config& b) {
  const Json one = to_json(a).flatten(), other = to_json(b).flatten();
  for (const auto& [pointer, value] : one.items())
    if (!other.contains(pointer) || other.at(pointer) != value) return option_of(pointer);
  return std::nullopt;
}

}  // namespace

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

void PoolConfig::fields(FieldVisitor& v) {
  v.field(
      "unit", unit,
      "Who decides together: each token, a sequence, its prompt for all of it, the batch; null: "
      "token, or of layers prompt on a decoder and sequence on an encoder.",
      {.choices = unit_names()});
  v.field(
      "of", of,
      "What is pooled over the unit: means of scores or of probabilities, or, of layers, votes; "
      "null: scores, or of layers votes.",
      {.choices = {"votes", "probabilities", "scores"}});
  v.field("prompt_tokens", prompt_tokens,
          "unit: prompt, of a text without a prompt: so many tokens at its start.",
          {.minimum = 1, .maximum = 1 << 20});
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
      site(part(site_choices(), "linear")),
      score(linear_score()),
      squash(part(squashing_choices(), "softmax")),
      select(part(select_choices(), "top_k")) {}

void MixtureConfig::fields(FieldVisitor& v) {
  v.choice("site", site, site_choices(), "What an expert is.");
  v.choice("over", over, inner_method_choices(),
           "site: layer: the method that adapts the blocks; null: none.", {.optional = true});
  ExpertsConfig::fields(v);
  v.nested("pool", pool, "What a router pools before it decides.");
  v.choice("score", score, score_choices(), "How a router scores the experts.");
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

std::optional<FieldProblem> MixtureConfig::check_pool() const {
  const std::string unit = pool.unit.value_or(""), of = pool.of.value_or(""),
                    here = " (site is " + site.name + ")";
  if (site.name == "layer") {
    if (unit == "token")
      return FieldProblem{"pool.unit", "sequence, prompt, batch or null" + here, "Choose one."};
    if (of == "scores")
      return FieldProblem{"pool.of", "votes, probabilities or null" + here, "Choose one."};
    return std::nullopt;
  }
  if (of == "votes")
    return FieldProblem{"pool.of", "scores, probabilities or null" + here, "Choose one."};
  if (!of.empty() && (unit.empty() || unit == "token"))
    return FieldProblem{"pool.of", "null (each token decides)", "Leave it out, or set pool.unit."};
  return std::nullopt;
}

// First values of routers are those of products; another score draws its own.
std::optional<FieldProblem> MixtureConfig::check_router() const {
  if (is_product(score)) return std::nullopt;
  RouterConfig read = router;
  const RouterConfig defaults;
  read.init = defaults.init;
  read.range = defaults.range;
  read.deviation = defaults.deviation;
  RouterConfig own = router;
  if (const auto field = first_difference(own, read))
    return FieldProblem{"router." + *field, "left out (score is " + score.name + ")", "Remove it."};
  return std::nullopt;
}

std::optional<FieldProblem> MixtureConfig::check_feed_forward() const {
  if (expert_ranks)
    return FieldProblem{"expert_ranks", "null (site is feed_forward)", "Set rank instead."};
  if (targets != std::vector<std::string>{"feed-forward"})
    return FieldProblem{"targets", "[feed-forward] (site is feed_forward: all its linears)",
                        "Leave it out; plain updates have attention.targets."};
  if (dropout_mask != "group")
    return FieldProblem{"dropout_mask", "group (site is feed_forward)", "Leave it out."};
  return std::nullopt;
}

// Blocks are neither drawn nor weighed by token: what says how is not read.
std::optional<FieldProblem> MixtureConfig::check_layer() const {
  MixtureConfig read;  // what is read of this one, the rest at its defaults
  read.site = site;
  read.over = over;
  read.layers = layers;
  read.pool = pool;
  read.score = score;
  read.router.learning_rate = router.learning_rate;
  read.router.weight_decay = router.weight_decay;
  if (const auto field = first_difference(*this, read))
    return FieldProblem{*field, "left out (site is layer)",
                        "Remove it; what adapts the blocks has its options under over."};
  return std::nullopt;
}

std::optional<FieldProblem> MixtureConfig::check() const {
  if (const auto problem = check_pool()) return problem;
  if (site.name == "layer") return check_layer();
  if (!over.name.empty())
    return FieldProblem{"over", "null (site is " + site.name + ")",
                        "Leave it out; plain updates beside experts are attention.targets."};
  if (const auto problem = check_router()) return problem;
  if (const auto problem = check_shares()) return problem;
  return site.name == "feed_forward" ? check_feed_forward() : std::nullopt;
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

Pool MixtureConfig::pool_of(const StackShape& shape) const {
  const bool of_layers = site.name == "layer";
  const std::string unit_default = !of_layers ? "token" : shape.causal ? "prompt" : "sequence";
  const std::string what = pool.of.value_or(of_layers ? "votes" : "scores");
  return {.unit = unit_named(pool.unit.value_or(unit_default)),
          .of = what == "votes"    ? Pool::Of::votes
                : what == "scores" ? Pool::Of::scores
                                   : Pool::Of::probabilities,
          .prompt_tokens = pool.prompt_tokens};
}

Routing MixtureConfig::routing() const {
  Routing out{.select = make_select(select),
              .broadcast = std::nullopt,
              .renormalises = renormalise,
              .squash = make_squashing(squash),
              .score = score};
  out.broadcast = Broadcast{
      {entropy_kind(broadcast.entropy), broadcast.index, broadcast.eps, broadcast.normalised},
      broadcast.threshold};
  return out;
}

std::vector<Sentence> MixtureConfig::of_layers(const StackShape& shape,
                                               const std::string& method) const {
  const auto& own = dynamic_cast<const LayerSiteConfig&>(*site.config);
  std::vector<Sentence> out;
  if (!over.name.empty()) out = sentences_of(over, shape);
  RouterSpec spec;
  spec.pool = pool_of(shape);
  spec.score = score;
  spec.settings = {router.learning_rate, router.weight_decay};
  out.push_back(own.sentence(std::move(spec), layers, shape, method));
  return out;
}

std::vector<Sentence> MixtureConfig::sentences(const StackShape& shape,
                                               const std::string& method) const {
  if (site.name == "layer") return of_layers(shape, method);
  std::vector<Sentence> out;
  if (!attention.targets.empty()) {
    auto plain = std::make_shared<LowRankBank>();
    plain->method = method + ".attention";
    plain->rank = attention.rank;
    plain->alpha = attention.alpha;
    plain->dropout = dropout;
    plain->rank_stabilised = rslora;
    out.push_back({.sites = {attention.targets, layers}, .bank = plain});
  }
  std::shared_ptr<MixtureBank> bank;
  if (site.name == "feed_forward") {
    bank = std::make_shared<FeedForwardExpertBank>();
  } else {
    auto linears = std::make_shared<ExpertBank>();
    if (expert_ranks) linears->expert_ranks = *expert_ranks;
    linears->mask_for_each_expert = dropout_mask == "expert";
    bank = linears;
  }
  fill(*bank, shape.layers, method);
  bank->causal = shape.causal;
  Routing tokens = routing();
  tokens.pool = pool_of(shape);
  out.push_back({.sites = {targets, layers},
                 .bank = bank,
                 .router = std::nullopt,
                 .routing = std::move(tokens),
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
  registry.add(
      {"mixture", "",
       "Experts of linears, of feed-forwards, or the model's own blocks, every part named.",
       [] { return std::make_unique<MixtureConfig>(); },
       [](const Config& config, const StackShape& shape) {
         return dynamic_cast<const MixtureConfig&>(config).sentences(shape, "mixture");
       },
       [](const Config& config) {
         return std::make_unique<MixtureConfig>(dynamic_cast<const MixtureConfig&>(config));
       }});
}

}  // namespace mixtune
