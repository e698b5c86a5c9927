// The adapters and experts that a spec can add at its sites.
#pragma once

#include "moe/adapter_spec.h"
#include "moe/experts/rank_budget.h"
#include "moe/loss/router_loss.h"
#include "moe/noise.h"

namespace mixtune {

// The initial A of a low-rank update, [rank, in]: U(-1/sqrt(in), 1/sqrt(in)), or Gaussian with
// standard deviation 1 / rank. Both as in PEFT (init_lora_weights).
Tensor initial_lora_a(int64_t rank, int64_t in, bool is_gaussian, RandomKey key);

// Low-rank updates of linears (LoRA): y += scaling * B A dropout(x), with one dropout mask per
// linear group.
struct LoraAdapter final : Adapter {
  std::string method = "lora";  // for messages
  int64_t rank = 8;
  double alpha = 16, dropout = 0;
  bool rank_stabilized = false;  // scaling alpha / sqrt(rank) instead of alpha / rank
  std::map<std::string, int64_t> rank_pattern;
  std::map<std::string, double> alpha_pattern;
  bool magnitude = false;        // trained lengths of the rows of W + scaling B A (DoRA)
  bool starts_gaussian = false;  // Gaussian initialization of A
  bool train_bias = false;       // train the biases of the adapted linears
  bool up_bias = false;          // add a bias to B
  double plus = 1;               // the learning rate of B as a multiple of that of A (LoRA+)
  // AdaLoRA: the budget of the singular values between A and B, which shrinks in training, and the
  // weight of the orthogonality loss on A and B.
  std::optional<RankBudgetSettings> budget;
  double orthogonality = 0;
  void attach(const AdapterSpec& spec, Sites& sites, Attachment& attachment) const override;

 private:
  Tensor first_down(int64_t r, int64_t in, RandomKey key) const;  // A: [r, in]
  double scaling_of(double a, int64_t r) const;
};

// The settings that all low-rank experts share: numbers, ranks, initialization of experts and
// routers, router noise. The spec holds the routing.
struct RoutedExperts : Adapter {
  std::vector<int64_t> experts, ranks;  // one number per layer of the model
  double alpha = 16, dropout = 0;
  bool rank_stabilized = false;  // scaling alpha / sqrt(rank) instead of alpha / rank
  bool starts_gaussian = false;  // Gaussian initialization of A
  // Initialization of the router: U(-b, b) with b = sqrt(6 / ((1 + router_range) in)), or, if it is
  // set, Gaussian with standard deviation router_deviation.
  double router_range = 5;
  std::optional<double> router_deviation;
  GroupSettings router_settings;
  RouterNoise noise;
  // The maximum number of tokens per sequence and expert in training.
  std::optional<int64_t> capacity;
  bool causal = false;             // whether the stack is causal
  std::string method = "mixture";  // for messages

  double scaling(int64_t rank) const;
  Tensor first_router(int64_t experts, int64_t in, RandomKey key) const;  // [experts, in]
  // Checks that `experts` and `ranks` have one number per layer of the model.
  void check_layers(const Sites& sites) const;
  // A router whose gate is not a product, trained under names below `name`. UserError for a gate
  // whose logits depend on more than one token.
  std::unique_ptr<Gate> attach_gate(const Choice& gate, const GateShape& shape,
                                    const std::string& name, Attachment& attachment) const;
  // Called once all sites have their experts: sets the rows that the routers need, their optimizer
  // settings and losses, and a warning if their decisions depend on later tokens.
  void finish(const Routing& routing, const SiteRouterLosses& router_losses, Sites& sites,
              Attachment& attachment) const;
};

// Low-rank experts on linears, mixed per token: y = W x + sum_i g_i scaling B_i A_i dropout_i(x),
// with one router per linear (LoRAMoE, MoLA, DynMoLE).
struct LoraExperts final : RoutedExperts {
  std::vector<int64_t> expert_ranks;  // one per expert, in place of `ranks`; empty: `ranks` applies
  bool mask_for_each_expert = false;  // one dropout mask per expert instead of per linear group
  std::vector<int64_t> ranks_at(int64_t layer) const;  // the ranks of a layer's experts
  void attach(const AdapterSpec& spec, Sites& sites, Attachment& attachment) const override;

 private:
  void check_ranks() const;
  // The `spread` of expert_product.h, for experts of these ranks.
  Tensor spread_of(const std::vector<int64_t>& of_expert, const at::TensorOptions& options) const;
};

// Feed-forwards as experts, mixed per token: y = sum_e w_e expert_e(x), with one router per layer.
// Each expert is the base feed-forward with its own low-rank updates on each linear (MixLoRA).
// Tokens beyond an expert's capacity bypass it.
struct FeedForwardExperts final : RoutedExperts {
  void attach(const AdapterSpec& spec, Sites& sites, Attachment& attachment) const override;
};

// Learned scales (IA3) of a linear's output, or of the input of an ffn_down.
struct Ia3Scales final : Adapter {
  void attach(const AdapterSpec& spec, Sites& sites, Attachment& attachment) const override;
};

// Bottleneck adapters at the end of sublayers (Houlsby): x + up(activation(down(x))).
struct BottleneckAdapter final : Adapter {
  int64_t width = 64;
  std::string activation = "gelu";
  bool after_attention = true, after_feed_forward = true;
  bool train_norms = true;
  double initial_deviation = 0.01;  // standard deviation of the initial `down`; `up` starts at zero
  void attach(const AdapterSpec& spec, Sites& sites, Attachment& attachment) const override;
};

// The model's own weights, trained in place.
struct BaseWeights final : Adapter {
  enum class Which { all, biases } which = Which::all;
  void attach(const AdapterSpec& spec, Sites& sites, Attachment& attachment) const override;
};

// The model's own layers as experts (MoLEx); requires a router and a blend. The layers of the
// spec's sites are the mixed layers, whose output is blended with that of a selected layer.
struct LayerExperts final : Adapter {
  bool causal = false;           // whether the stack is causal
  std::string method = "molex";  // for messages
  void attach(const AdapterSpec& spec, Sites& sites, Attachment& attachment) const override;
};

}  // namespace mixtune
