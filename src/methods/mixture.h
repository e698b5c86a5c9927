// The config of the general mixture: low-rank experts on linears, feed-forward experts, or the
// model's own layers as experts, with every part configurable. The named mixture methods (DynMoLE,
// MoLA, ...) are this config with other defaults and fewer options.
#pragma once

#include "methods/layer_site.h"
#include "moe/experts/adapters.h"

namespace mixtune {

struct RouterConfig final : Config {
  std::string init = "uniform";
  double range = 5, deviation = 0.02, jitter = 0, noise = 0;
  std::optional<double> learning_rate, weight_decay;
  void fields(FieldVisitor& v) override;
};

struct ScopeConfig final : Config {
  std::optional<std::string> level, of;
  int64_t prompt_tokens = 16;
  void fields(FieldVisitor& v) override;
};

struct EntropySwitchConfig final : Config {
  double threshold = 1;
  std::string entropy = "tsallis";
  double index = 1.1, eps = 1e-5;
  bool normalized = true;
  void fields(FieldVisitor& v) override;
};

// Plain LoRA updates on linears without experts.
struct AttentionConfig final : Config {
  std::vector<std::string> targets;
  int64_t rank = 8;
  double alpha = 16;
  void fields(FieldVisitor& v) override;
};

// The options that all mixtures of low-rank experts share: targets, number, ranks, initialization.
struct ExpertsConfig : Config {
  std::vector<std::string> targets = {"feed-forward"};
  std::optional<std::vector<int64_t>> layers;
  std::string experts = "6", rank = "8";
  std::optional<std::vector<int64_t>> expert_ranks;
  double alpha = 16, dropout = 0;
  bool rslora = false;
  std::string dropout_mask = "group", init = "uniform";
  RouterConfig router;
  void fields(FieldVisitor& v) override;
};

struct MixtureConfig final : ExpertsConfig {
  Choice site;  // linear
  Choice over;  // empty name: none
  std::optional<int64_t> capacity;
  AttentionConfig attention;
  ScopeConfig scope;
  Choice gate;       // linear
  Choice scoring;    // softmax
  Choice selection;  // top_k
  EntropySwitchConfig entropy_switch;
  bool renormalize = false;
  std::vector<Choice> losses;

  MixtureConfig();
  explicit MixtureConfig(const ExpertsConfig& shared);
  void fields(FieldVisitor& v) override;
  std::optional<FieldProblem> check() const override;
  std::vector<AdapterSpec> specs(const StackShape& shape, const std::string& method) const;

 private:
  std::optional<FieldProblem> check_shares() const;
  std::optional<FieldProblem> check_scope() const;
  std::optional<FieldProblem> check_feed_forward() const;
  std::optional<FieldProblem> check_layer() const;
  std::optional<FieldProblem> check_router() const;
  RoutingScope scope_of(const StackShape& shape) const;
  std::vector<AdapterSpec> of_layers(const StackShape& shape, const std::string& method) const;
  void fill(RoutedExperts& adapter, int64_t layers, const std::string& method) const;
  Routing routing() const;
};

// An auxiliary router loss with this weight.
Choice weighted_loss(const std::string& name, double weight);

// A part of src/moe/selection, src/moe/loss or another folder of parts with its default config,
// which a named method then sets.
template <class Table>
Choice part(const Table& table, const std::string& name) {
  return {name, table.make(name)};
}

// Sets an option of a part by name, as a recipe does: set(selection, "k", "2").
void set(Choice& part, const std::string& option, const std::string& value);
void set(Choice& part, const std::string& option, double value);

}  // namespace mixtune
