// Golden kind `router`: routing and losses computed by the authors' DynMoLE code: entropies, masks,
// weights and gradients for many settings, and cases exactly on a threshold.
#include "base/scalars.h"
#include "support/golden_tensors.h"
#include "support/routers.h"

namespace mixtune::test {
namespace {

struct RouterFixture {
  explicit RouterFixture(const GoldenCase& one)
      : golden(one), tensors(one.folder / "tensors.safetensors") {}
  double tolerance(const char* name) const { return golden.json.at("tolerances").at(name); }

  const GoldenCase& golden;
  GoldenTensors tensors;
};

Routing routing_of(const Json& setting, double eps) {
  return {.selection = select_of("strict_top_p", {{"p", print_number(setting.at("top_p"))},
                                                  {"keep_top_k", setting.at("keep_top_k").dump()}}),
          .entropy_switch =
              EntropySwitch{{Entropy::Kind::tsallis, setting.at("entropy_index"), eps, true},
                            setting.at("entropy_threshold")}};
}

// "tsallis_norm.q1.1.eps1e-5", "renyi_raw.a0.5.eps1e-5".
std::optional<Entropy> entropy_named(const std::string& name) {
  const bool tsallis = name.starts_with("tsallis_"), renyi = name.starts_with("renyi_");
  if (!tsallis && !renyi) return std::nullopt;
  const size_t dot = name.find('.'), eps = name.find(".eps");
  return Entropy{tsallis ? Entropy::Kind::tsallis : Entropy::Kind::renyi,
                 *parse_number(name.substr(dot + 2, eps - dot - 2)),
                 *parse_number(name.substr(eps + 4)), name.substr(0, dot).ends_with("_norm")};
}

void check_entropies(RouterFixture& f) {
  const Tensor probabilities = at::softmax(f.tensors.get("logits"), 1);
  f.tensors.expect_near(probabilities, f.tensors.get("probs"), f.tolerance("probs_abs"), "probs");
  for (const auto& [name, expected] : f.tensors.all())
    if (const auto entropy = entropy_named(name))
      f.tensors.expect_near(entropy->of(probabilities), expected, f.tolerance("entropy_abs"), name);
}

// Compares the losses and their gradients; `real` are the rows that enter the balance loss.
void check_losses(RouterFixture& f, const std::string& set, const std::string& prefix,
                  const Json& setting, const Tensor& real) {
  const Json& scalars = f.golden.json.at("scalars").at(set);
  const double eps = f.golden.json.at("config").at("entropy_eps");
  const Tensor logits = f.tensors.get("logits").clone().requires_grad_(true);
  const Routed routed = route(at::softmax(logits, 1), routing_of(setting, eps));
  const Tensor entropy =
      loss_of("entropy", {{"index", print_number(setting.at("entropy_index"))}}, routed);
  const Tensor balance =
      loss_of("load", {{"count", "weight"}}, real.defined() ? routed.of_tokens(real) : routed);
  const Tensor aux = 0.01 * entropy + 0.001 * balance;
  const std::pair<std::string, Tensor> losses[] = {
      {"entropy_loss", entropy}, {"balance_loss", balance}, {"aux", aux}};
  for (const auto& [name, loss] : losses) {
    f.tensors.expect_near(loss.item<double>(), scalars.at(prefix + name), f.tolerance("loss_abs"),
                          set + " " + prefix + name);
    const std::string key = set + "." + prefix + "grad." + name;
    if (!f.tensors.has(key)) continue;  // recorded for some settings
    const Tensor gradient = torch::autograd::grad({loss}, {logits}, {}, true)[0];
    f.tensors.expect_relative(gradient, f.tensors.get(key), f.tolerance("grad_rel_max"), key);
  }
}

void check_settings(RouterFixture& f) {
  const Json& config = f.golden.json.at("config");
  const Tensor probabilities = at::softmax(f.tensors.get("logits"), 1);
  const Tensor real = f.tensors.get("attention_mask").reshape({-1}).nonzero().view({-1});
  for (const Json& setting : config.at("settings")) {
    const std::string set = "set" + setting.at("index").dump();
    const Routed routed = route(probabilities, routing_of(setting, config.at("entropy_eps")));
    f.tensors.expect_equal(routed.mask, f.tensors.get(set + ".mask"), set + " mask");
    f.tensors.expect_near(routed.weights, f.tensors.get(set + ".weights"),
                          f.tolerance("weights_abs"), set + " weights");
    const Entropy entropy{Entropy::Kind::tsallis, setting.at("entropy_index"),
                          config.at("entropy_eps"), true};
    f.tensors.expect_near(entropy.of(probabilities), f.tensors.get(set + ".entropy"),
                          f.tolerance("entropy_abs"), set + " entropy");
    check_losses(f, set, "", setting, {});
    check_losses(f, set, "pad.", setting, real);
  }
}

// Compares one row of probabilities per case. In the cases named count, equal probabilities are at
// the cut, so only the number of active experts is compared.
void check_edges(RouterFixture& f) {
  for (const Json& one : f.golden.json.at("scalars").at("cases")) {
    const std::string name = "case" + one.at("index").dump();
    SCOPED_TRACE(one.at("name").get<std::string>());
    const Tensor probabilities = f.tensors.get(name + ".probs").unsqueeze(0);
    const Routed routed =
        route(probabilities, routing_of(one, f.golden.json.at("config").at("entropy_eps")));
    const Tensor weights = routed.weights[0];
    f.tensors.expect_near(weights.sum().item<double>(), one.at("weight_sum"),
                          f.tolerance("weights_abs"), "sum");
    f.tensors.expect_near(static_cast<double>(weights.count_nonzero().item<int64_t>()),
                          one.at("active_count_nonzero"), 0, "active");
    const Entropy entropy{Entropy::Kind::tsallis, one.at("entropy_index"),
                          f.golden.json.at("config").at("entropy_eps"), true};
    f.tensors.expect_near(entropy.of(probabilities).item<double>(), one.at("entropy"),
                          f.tolerance("entropy_abs"), "entropy");
    if (one.at("name").get<std::string>().ends_with("count")) continue;
    f.tensors.expect_near(weights, f.tensors.get(name + ".weights"), f.tolerance("weights_abs"),
                          "weights");
  }
}

void check_router(const GoldenCase& one, GoldenTally& tally) {
  RouterFixture f(one);
  if (f.tensors.has("logits")) {
    check_entropies(f);
    check_settings(f);
  } else {
    check_edges(f);
  }
  tally.checked(one, f.tensors.values());
}

MIXTUNE_GOLDEN_CHECKER(router, check_router);

}  // namespace
}  // namespace mixtune::test
