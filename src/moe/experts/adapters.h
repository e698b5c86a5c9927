// The banks: what a sentence adds at its sites.
#pragma once

#include "moe/adapter_spec.h"
#include "moe/experts/rank_budget.h"
#include "moe/loss/router_loss.h"
#include "moe/noise.h"

namespace mixtune {

// The A that a low-rank update starts with: U(-1/sqrt(in), 1/sqrt(in)), or N(0, 1 / rank); [rank,
// in]. Both as PEFT has them (init_lora_weights).
Tensor drawn_down(int64_t rank, int64_t in, bool is_gaussian, RandomKey key);

// Low-rank updates of linears (LoRA): y += scaling * B A dropout(x). One mask for each linear
// group.
struct LoraAdapter final : Adapter {
  std::string method = "lora";  // for messages
  int64_t rank = 8;
  double alpha = 16, dropout = 0;
  bool rank_stabilized = false;  // scaling alpha / sqrt(rank) in place of alpha / rank
  std::map<std::string, int64_t> rank_pattern;
  std::map<std::string, double> alpha_pattern;
  bool magnitude = false;        // trained lengths of the rows of W + scaling B A (DoRA)
  bool starts_gaussian = false;  // A, as drawn_down has it
  bool train_bias = false;       // the biases of the adapted linears
  bool up_bias = false;          // a bias on B
  double plus = 1;               // the learning rate of B as a multiple of that of A (LoRA+)
  // Singular values between A and B, some of which are taken away in training (AdaLoRA), and the
  // weight of the loss that keeps A and B orthogonal.
  std::optional<RankBudgetSettings> budget;
  double orthogonality = 0;
  void attach(const AdapterSpec& spec, Sites& sites, Attachment& attachment) const override;

 private:
  Tensor first_down(int64_t r, int64_t in, RandomKey key) const;  // A: [r, in]
  double scaling_of(double a, int64_t r) const;
};

// What banks of low-rank experts share: how many, how large, what they and their routers start
// with, what disturbs routers in training. The sentence says how they route.
struct RoutedExperts : Adapter {
  std::vector<int64_t> experts, ranks;  // one for each layer of the model
  double alpha = 16, dropout = 0;
  bool rank_stabilized = false;  // scaling alpha / sqrt(rank) in place of alpha / rank
  bool starts_gaussian = false;  // A, as drawn_down has it
  // Of the router: U(-b, b) with b = sqrt(6 / ((1 + router_range) in)), or, where it is set, N(0,
  // router_deviation).
  double router_range = 5;
  std::optional<double> router_deviation;
  GroupSettings router_settings;
  RouterNoise noise;
  // In training: tokens of a sequence that one expert takes; the others go without it.
  std::optional<int64_t> capacity;
  bool causal = false;             // of the stack: a token sees itself and those before it
  std::string method = "mixture";  // for messages

  double scaling(int64_t rank) const;
  Tensor first_router(int64_t experts, int64_t in, RandomKey key) const;  // [experts, in]
  // A number of experts and a rank for each layer of the model.
  void check_layers(const Sites& sites) const;
  // A router whose score is no product, trained under the names below `name`. UserError for a score
  // that looks at more than a token.
  std::unique_ptr<Gate> attach_gate(const Choice& gate, const GateShape& shape,
                                    const std::string& name, Attachment& attachment) const;
  // Once all sites have their experts: which rows the routers need, what they learn with, their
  // losses, and a warning where they see later tokens.
  void finish(const Routing& routing, const SiteRouterLosses& router_losses, Sites& sites,
              Attachment& attachment) const;
};

// Low-rank experts of linears, mixed by token: y = W x + sum_i g_i scaling B_i A_i dropout_i(x),
// with a router for each linear (LoRA experts: LoRAMoE, MoLA, DynMoLE).
struct LoraExperts final : RoutedExperts {
  std::vector<int64_t> expert_ranks;  // one for each expert, in place of `ranks`; empty: not
  bool mask_for_each_expert = false;  // of the dropout; else one for each linear group
  std::vector<int64_t> ranks_at(int64_t layer) const;  // of its experts
  void attach(const AdapterSpec& spec, Sites& sites, Attachment& attachment) const override;

 private:
  void check_ranks() const;
  // The `spread` of expert_product.h, for experts of these ranks.
  Tensor spread_of(const std::vector<int64_t>& of_expert, const at::TensorOptions& options) const;
};

// Whole feed-forwards as experts, mixed by token: y = sum_e w_e expert_e(x), with one router for
// each block. An expert is the feed-forward with low-rank updates of its own on each of its linears
// (MixLoRA). What finds no place within the capacity passes through.
struct FeedForwardExperts final : RoutedExperts {
  void attach(const AdapterSpec& spec, Sites& sites, Attachment& attachment) const override;
};

// Learned scales (IA3): of a linear's output, or of the input of an ffn_down.
struct Ia3Scales final : Adapter {
  void attach(const AdapterSpec& spec, Sites& sites, Attachment& attachment) const override;
};

// Bottleneck adapters at the end of sublayers (Houlsby): x + up(activation(down(x))).
struct BottleneckAdapter final : Adapter {
  int64_t width = 64;
  std::string activation = "gelu";
  bool after_attention = true, after_feed_forward = true;
  bool train_norms = true;
  double initial_deviation = 0.01;  // of `down`; `up` starts at zero
  void attach(const AdapterSpec& spec, Sites& sites, Attachment& attachment) const override;
};

// The model's own weights, trained where they stand.
struct BaseWeights final : Adapter {
  enum class Which { all, biases } which = Which::all;
  void attach(const AdapterSpec& spec, Sites& sites, Attachment& attachment) const override;
};

// The model's own blocks (MoLEx): needs a router and a blend. The sentence's layers are the
// positions at which another block is blended in.
struct LayerExperts final : Adapter {
  bool causal = false;           // of the stack: a token sees itself and those before it
  std::string method = "molex";  // for messages
  void attach(const AdapterSpec& spec, Sites& sites, Attachment& attachment) const override;
};

}  // namespace mixtune
