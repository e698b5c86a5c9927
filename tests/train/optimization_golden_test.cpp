// Golden kind `optimisation`: schedules of transformers, AdamW, clipping and losses of torch.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "support/golden.h"
#include "train/loss.h"
#include "train/optimizer.h"
#include "train/schedule.h"

namespace mixtune {
namespace {

using test::GoldenCase;

class Checker {
 public:
  explicit Checker(const GoldenCase& golden)
      : json_(golden.json),
        case_bound_{json_["tolerances"]["abs"].get<double>(),
                    json_["tolerances"]["rel"].get<double>()} {}

  long long run() {
    schedules();
    for (const auto& [name, value] : json_.items())
      if (name.starts_with("adamw_float")) adamw(name, value);
    joint_clipping();
    losses();
    leave_out("sgd_momentum_float64, adam_l2_float64", "AdamW is the only optimizer");
    leave_out("losses with class weights", "no option weighs classes");
    leave_out("all_ignored_mean, trainer_label_smoother_0.1_shifted",
              "losses are sums over sequences; language models come later");
    return values_;
  }

 private:
  void leave_out(const std::string& what, const std::string& why) {
    std::printf("golden optimisation: left out: %s: %s\n", what.c_str(), why.c_str());
  }

  struct Bound {
    double absolute, relative;
  };

  void near(double ours, double theirs, const std::string& what) {
    EXPECT_NEAR(ours, theirs, bound_.absolute + bound_.relative * std::abs(theirs)) << what;
    ++values_;
  }
  void near(const Tensor& ours, const Json& theirs, const std::string& what) {
    const Tensor flat = ours.to(at::kDouble).reshape({-1});
    std::vector<double> expected;
    collect(theirs, expected);
    ASSERT_EQ(flat.numel(), static_cast<int64_t>(expected.size())) << what;
    for (int64_t i = 0; i < flat.numel(); ++i)
      near(flat[i].item<double>(), expected[static_cast<size_t>(i)],
           what + " " + std::to_string(i));
  }
  static void collect(const Json& json, std::vector<double>& out) {
    if (json.is_array())
      for (const Json& item : json) collect(item, out);
    else
      out.push_back(json.get<double>());
  }
  static Tensor tensor(const Json& json, at::ScalarType type) {
    std::vector<double> values;
    collect(json, values);
    return at::tensor(values, at::kDouble).to(type);
  }

  // The number after `key` in a schedule's name, such as 10 after "_warmup" in "linear_warmup10".
  static double setting(const std::string& name, const std::string& key, double otherwise) {
    const size_t at = name.rfind(key);
    return at == std::string::npos ? otherwise : std::stod(name.substr(at + key.size()));
  }

  void schedules() {
    const double rate = json_["base_lr"].get<double>();
    const auto steps = json_["steps"].get<int64_t>();
    const std::map<std::string, std::string> other_names = {{"constant_with_warmup", "constant"},
                                                            {"cosine_with_min_lr", "cosine"}};
    for (const auto& [name, expected] : json_["schedules"].items()) {
      std::string kind = name.substr(0, name.find("_warmup"));
      if (name.starts_with("warmup_stable_decay")) kind = "warmup_stable_decay";
      if (name.starts_with("constant_with_warmup")) kind = "constant";
      if (other_names.contains(kind)) kind = other_names.at(kind);
      const Schedule schedule{
          .kind = schedule_kind(kind),
          .warmup_steps = static_cast<int64_t>(setting(name, "_warmup", 0)),
          .total_steps = steps,
          .end = setting(name, "_lr_end", 0) / rate + setting(name, "_min_lr_rate", 0),
          .cycles = static_cast<int64_t>(setting(name, "_num_cycles", 1)),
          .power = setting(name, "_power", 1),
          .decay_steps = static_cast<int64_t>(setting(name, "_num_decay_steps", 0))};
      for (size_t k = 0; k < expected.size(); ++k)
        near(rate * schedule.factor(static_cast<int64_t>(k)), expected[k].get<double>(),
             name + " step " + std::to_string(k));
    }
  }

  // Every step rounds each weight once more; the error of the gradient is `steepest` times as
  // large.
  Bound bound_behind(int64_t steps, at::ScalarType type, double steepest) const {
    if (type == at::kDouble) return {1e-12, 1e-12};
    const double drift = static_cast<double>(steps) * std::numeric_limits<float>::epsilon();
    return {case_bound_.absolute + drift * steepest, case_bound_.relative + drift};
  }

  // loss = 0.5 * sum a (w - c)^2, so the gradient is a (w - c).
  void adamw(const std::string& name, const Json& c) {
    const at::ScalarType type =
        name.find("float64") != std::string::npos ? at::kDouble : at::kFloat;
    const Tensor a = tensor(c["a"], type), centre = tensor(c["c"], type);
    Tensor w = tensor(c["w0"], type);
    Trainables trainables;
    trainables.add(&w, {{"w", "adapter", w.sizes().vec(), true}});
    trainables.build();
    AdamW optimizer(trainables,
                    {.beta1 = c["betas"][0].get<double>(),
                     .beta2 = c["betas"][1].get<double>(),
                     .epsilon = c["eps"].get<double>(),
                     .defaults = {c["lr"].get<double>(), c["weight_decay"].get<double>()}});
    const bool clips = name.ends_with("_clip1");
    int64_t number = 0;
    for (const Json& step : c["steps"]) {
      bound_ = bound_behind(number + 1, type, a.max().item<double>());
      const std::string where = name + " step " + std::to_string(number++);
      const Tensor difference = trainables.values - centre;
      near((0.5 * (a * difference * difference).sum()).item<double>(), step["loss"].get<double>(),
           where + " loss");
      trainables.gradients.copy_(a * difference);
      const double norm = global_norm(trainables.gradients);
      near(norm, step["gradient_norm"].get<double>(), where + " norm");
      const double scale = clips ? clip_scale(norm, 1) : 1;
      near(trainables.gradients * scale, step["gradient_used"], where + " gradient");
      optimizer.step(1, scale);
      near(trainables.values, step["w"], where + " w");
      near(optimizer.first, step["m"], where + " m");
      near(optimizer.second, step["v"], where + " v");
    }
    bound_ = case_bound_;
  }

  void joint_clipping() {
    const Json& c = json_["joint_clipping"];
    const Tensor g1 = tensor(c["g1"], at::kFloat), g2 = tensor(c["g2"], at::kFloat);
    const double norm = global_norm(at::cat({g1, g2}));
    near(norm, c["norm"].get<double>(), "joint norm");
    near(g1 * clip_scale(norm, 1), c["clipped_g1"], "clipped g1");
    near(g2 * clip_scale(norm, 1), c["clipped_g2"], "clipped g2");
  }

  void losses() {
    const Json& c = json_["losses"];
    const auto classes = static_cast<int64_t>(c["logits"][0].size());
    const Tensor logits = tensor(c["logits"], at::kFloat).view({-1, classes});
    const Tensor targets = tensor(c["targets"], at::kLong);
    ASSERT_EQ(c["ignore_index"].get<int64_t>(), kIgnoredTarget);
    const double counted = static_cast<double>(targets.ne(kIgnoredTarget).sum().item<int64_t>());
    for (const auto& [name, expected] : c["values"].items()) {
      if (!name.starts_with("smoothing") || name.ends_with("_weighted")) continue;
      const double smoothing = std::stod(name.substr(9));
      const double sum = cross_entropy_sum(logits, targets, smoothing).item<double>();
      if (name.ends_with("_sum")) near(sum, expected.get<double>(), name);
      if (name.ends_with("_mean")) near(sum / counted, expected.get<double>(), name);
      if (name.ends_with("_none"))
        for (int64_t s = 0; s < logits.size(0); ++s)
          near(cross_entropy_sum(logits.narrow(0, s, 1), targets.narrow(0, s, 1), smoothing)
                   .item<double>(),
               expected[static_cast<size_t>(s)].get<double>(), name);
    }
    const Tensor ignored = at::full({logits.size(0)}, kIgnoredTarget, at::kLong);
    near(cross_entropy_sum(logits, ignored).item<double>(),
         c["values"]["all_ignored_sum"].get<double>(), "all ignored");
    near(cross_entropy_sum(logits, targets, 0.1).item<double>() / counted,
         c["values"]["trainer_label_smoother_0.1"].get<double>(), "label smoother");
    const Tensor leaf = logits.clone().requires_grad_(true);
    torch::autograd::backward({cross_entropy_sum(leaf, targets, 0.1) / counted}, {});
    near(leaf.grad(), c["gradient_smoothing0.1_mean"], "gradient");
    const Tensor prediction = tensor(c["mse"]["prediction"], at::kFloat);
    near(squared_error_sum(prediction, tensor(c["mse"]["target"], at::kFloat)).item<double>() /
             static_cast<double>(prediction.numel()),
         c["mse"]["mean"].get<double>(), "mse");
  }

  const Json& json_;
  Bound case_bound_, bound_ = case_bound_;
  long long values_ = 0;
};

void check_optimisation(const GoldenCase& golden, test::GoldenTally& tally) {
  tally.checked(golden, Checker(golden).run());
}

MIXTUNE_GOLDEN_CHECKER(optimisation, check_optimisation);

}  // namespace
}  // namespace mixtune
