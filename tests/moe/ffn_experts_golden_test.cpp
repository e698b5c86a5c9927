// Golden kind `ffn_experts`: one feed-forward with experts, computed by the authors' code: routing,
// output, loss, and gradients of a weighted sum of the output, alone and with the balance loss.
#include "base/json.h"
#include "moe/loss/router_loss.h"
#include "support/golden_tensors.h"
#include "support/hand_made_feed_forward.h"

namespace mixtune::test {
namespace {

struct FeedForwardFixture {
  const GoldenCase& golden;
  GoldenTensors tensors;
  HandMadeFeedForward made;
  int64_t experts;

  explicit FeedForwardFixture(const GoldenCase& one)
      : golden(one),
        tensors(one.folder / "tensors.safetensors"),
        made({.width = setting("hidden"),
              .inner = setting("intermediate"),
              .gated = true,
              .biased = false,
              .activation = one.json.at("config").at("activation")},
             at::kFloat),
        experts(setting("num_experts")) {
    const at::NoGradGuard no_grad;
    for (LinearGroup* group : {&made.base.up, &made.base.down})
      for (size_t m = 0; m < group->members().size(); ++m)
        group->weight_of({m, m + 1}).copy_(tensors.get(group->members()[m].name.substr(4) + ".W0"));
    const Json& c = one.json.at("config");
    made.attach_method(
        "mixlora",
        "num_experts: " + c.at("num_experts").dump() + "\ntop_k: " + c.at("top_k").dump() +
            "\nr: " + c.at("lora_r").dump() + "\nlora_alpha: " + c.at("lora_alpha").dump() +
            "\nbalance: " + c.at("router_aux_loss_coef").dump() + "\nattention_target_modules: []");
    made.set("mlp.router.weight", tensors.get("router.weight"));
    for_updates([&](const std::string& name, const std::string& key, int64_t e) {
      made.set(name, tensors.get(key)[e]);
    });
  }

  int64_t setting(const char* name) const { return golden.json.at("config").at(name); }
  double tolerance(const char* name) const { return golden.json.at("tolerances").at(name); }

  // For each A and B: our name, the case's tensor and the expert.
  template <class Body>
  void for_updates(const Body& body) const {
    for (const std::string linear : {"gate_proj", "up_proj", "down_proj"})
      for (int64_t e = 0; e < experts; ++e)
        for (const std::string part : {"A", "B"})
          body("mlp." + linear + ".experts." + std::to_string(e) + ".lora_" + part + ".weight",
               linear + "." + part, e);
  }

  void check_routing() {
    const Tensor logits = at::linear(tensors.get("x"), tensors.get("router.weight"));
    tensors.expect_near(logits, tensors.get("router_logits"), tolerance("output_abs"), "logits");
    Choice top_k{"top_k", selection_choices().make("top_k")};
    const Tensor leaf = tensors.get("router_logits").clone().requires_grad_(true);
    Routing routing;
    routing.selection = make_selection(top_k);
    routing.renormalizes = true;
    const Routed routed = route(at::softmax(leaf, 1), routing);
    tensors.expect_near(routed.weights, tensors.get("routing_weights"), tolerance("weights_abs"),
                        "weights");
    tensors.expect_equal(routed.mask, at::one_hot(tensors.get("selected_experts"), experts).sum(1),
                         "selection");
    const auto load =
        router_losses().get("load", "test", "loss").make(*router_loss_choices().make("load"));
    const SequenceLayout rows = rows_of({leaf.size(0)});
    const Tensor loss = load->finalize(load->accumulate(routed, {rows, {}, 1}), experts);
    tensors.expect_near(loss.item<double>(),
                        golden.json.at("scalars").at("balance_loss").get<double>(),
                        tolerance("loss_abs"), "balance loss");
    loss.backward();
    tensors.expect_relative(leaf.grad(), tensors.get("grad.balance_loss.logits"),
                            tolerance("grad_rel_max"), "gradient of the balance loss");
  }

  void check_gradients(const std::string& which, bool with_loss) {
    made.attachment->trainables.zero_gradients();
    const Tensor x = tensors.get("x").clone().requires_grad_(true);
    const SequenceLayout rows = rows_of({x.size(0)});
    ForwardContext context = made.context(Phase::evaluate);
    const Tensor y = made.forward(x, rows, context);
    tensors.expect_near(y, tensors.get("y"), tolerance("output_abs"), "output");
    Tensor loss = (y * tensors.get("loss_weight")).sum();
    if (with_loss) loss = loss + made.attachment->auxiliary_sum(context);
    const Json& scalars = golden.json.at("scalars");
    tensors.expect_near(loss.item<double>(),
                        scalars.at(with_loss ? "total" : "L_main").get<double>(),
                        10 * tolerance("output_abs"), which + " loss");
    loss.backward();
    const double relative = tolerance("grad_rel_max");
    const std::string prefix = "grad." + which + ".";
    tensors.expect_relative(x.grad(), tensors.get(prefix + "x"), relative, prefix + "x");
    tensors.expect_relative(made.gradient("mlp.router.weight"), tensors.get(prefix + "router"),
                            relative, prefix + "router");
    for_updates([&](const std::string& name, const std::string& key, int64_t e) {
      const Tensor whole = tensors.get(prefix + key);
      // Relative to the largest entry of all experts.
      tensors.expect_near(made.gradient(name), whole[e],
                          relative * whole.abs().max().item<double>(), prefix + name);
    });
  }
};

void check_ffn_experts(const GoldenCase& one, GoldenTally& tally) {
  ASSERT_EQ(one.json.at("config").at("routing_strategy"), "mixlora");
  FeedForwardFixture f(one);
  f.check_routing();
  f.check_gradients("main", false);
  f.check_gradients("total", true);
  tally.checked(one, f.tensors.values());
}

MIXTUNE_GOLDEN_CHECKER(ffn_experts, check_ffn_experts);

}  // namespace
}  // namespace mixtune::test
