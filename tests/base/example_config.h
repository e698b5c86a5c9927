// A config with fields of every type, for the tests of options.
#pragma once

#include "base/config.h"
#include "base/error.h"

namespace mixtune::test {

struct BalanceConfig : Config {
  double weight = 0.01;
  bool per_layer = false;
  void fields(FieldVisitor& v) override {
    v.field("weight", weight, "Factor of the loss.", {.minimum = 0});
    v.field("per_layer", per_layer, "One loss for each layer.");
  }
};

struct LoraConfig : Config {
  int64_t rank = 8;
  double alpha = 16;
  double dropout = 0;
  std::vector<std::string> targets = {"query", "value"};
  std::optional<std::vector<int64_t>> layers;
  std::map<std::string, int64_t> rank_pattern;
  void fields(FieldVisitor& v) override {
    v.field("rank", rank, "Rank of the update.", {.minimum = 1, .maximum = 65536});
    v.field("alpha", alpha, "Scaling is alpha / rank.", {.above = 0});
    v.field("dropout", dropout, "Dropout on the input.", {.minimum = 0, .below = 1});
    v.field("targets", targets, "Roles or name patterns.");
    v.field("layers", layers, "Layers to adapt; null: all.", {.minimum = 0});
    v.field("rank_pattern", rank_pattern, "Ranks of single linears.", {.minimum = 1});
  }
};

struct FullConfig : Config {
  void fields(FieldVisitor&) override {}
};

struct MixtureConfig;
class MethodTable final : public ChoiceTable {
 public:
  std::vector<std::string> names() const override { return {"full", "lora", "mixture"}; }
  std::unique_ptr<Config> make(const std::string& name) const override;
};

struct MixtureConfig : Config {
  int64_t experts = 4;
  int64_t top_k = 2;
  std::string gate = "linear";
  std::string scope = "all";
  BalanceConfig balance;
  Choice over;
  std::vector<BalanceConfig> losses;
  std::vector<Choice> parts;
  void fields(FieldVisitor& v) override {
    v.field("experts", experts, "Number of experts.", {.minimum = 1});
    v.field("top_k", top_k, "Experts for each token.", {.minimum = 1});
    v.field("gate", gate, "Gate type.", {.choices = {"linear", "cosine"}});
    v.field("scope", scope, "Layers: all, a number of them or a list.", {.check = is_scope});
    v.nested("balance", balance, "Load balance.");
    v.choice("over", over, MethodTable(), "What is mixed.", {.optional = true});
    v.list("losses", losses, "More losses.");
    v.choices("parts", parts, MethodTable(), "Experts of several types.");
  }
  std::optional<FieldProblem> check() const override {
    if (top_k <= experts) return std::nullopt;
    return FieldProblem{"top_k", "1 to " + std::to_string(experts) + " (experts)",
                        "Lower top_k or raise experts."};
  }
  static std::optional<std::string> is_scope(const std::string& text) {
    if (text == "all" || text.starts_with('[') || text.find_first_not_of("0123456789") == text.npos)
      return std::nullopt;
    return "all, a number or a list such as [0, 2]";
  }
};

inline std::unique_ptr<Config> MethodTable::make(const std::string& name) const {
  if (name == "full") return std::make_unique<FullConfig>();
  if (name == "lora") return std::make_unique<LoraConfig>();
  return std::make_unique<MixtureConfig>();
}

struct TrainConfig : Config {
  int64_t seed = 0;
  std::optional<int64_t> steps;
  double clip = 1;
  double learning_rate = 5e-4;
  std::vector<double> betas = {0.9, 0.999};
  void fields(FieldVisitor& v) override {
    v.field("seed", seed, "Seed of every random stream.");
    v.field("steps", steps, "Replaces epochs.", {.minimum = 1});
    v.field("clip", clip, "Maximum gradient norm.", {.above = 0});
    v.field("learning_rate", learning_rate, "Maximum learning rate.", {.above = 0});
    v.field("betas", betas, "Decay of the moments.", {.minimum = 0, .below = 1});
  }
};

struct RunConfig : Config {
  Choice method{"lora", std::make_shared<LoraConfig>()};
  Choice start;
  TrainConfig train;
  std::string output = "runs/{task}-{method}";
  std::optional<std::string> note;
  std::optional<bool> cache;
  std::optional<double> scale;
  std::optional<std::vector<std::string>> tags;
  std::map<std::string, double> factors;
  void fields(FieldVisitor& v) override {
    v.choice("method", method, MethodTable(), "What is trained.");
    v.choice("start", start, MethodTable(), "Where it starts.", {.optional = true});
    v.nested("train", train, "The loop.");
    v.field("output", output, "Run folder.");
    v.field("note", note, "For people.");
    v.field("cache", cache, "Keep what was read.");
    v.field("scale", scale, "Factor of everything.");
    v.field("tags", tags, "Words to find it by.");
    v.field("factors", factors, "Learning rates by group.");
  }
};

inline Origins apply_text(Config& config, const std::string& yaml,
                          const std::vector<std::string>& overrides = {}) {
  ConfigLayers layers;
  layers.add_text(yaml, "a.yaml");
  for (const std::string& assignment : overrides) layers.add_override(assignment);
  return layers.apply(config);
}

// The error line, or "no error".
inline std::string error_of(const std::string& yaml,
                            const std::vector<std::string>& overrides = {}) {
  try {
    RunConfig config;
    apply_text(config, yaml, overrides);
  } catch (const UserError& error) {
    return error.what();
  }
  return "no error";
}

template <class T>
const T& chosen(const Choice& choice) {
  return dynamic_cast<const T&>(*choice.config);
}

}  // namespace mixtune::test
