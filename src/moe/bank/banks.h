// The banks: what a sentence adds at its sites.
#pragma once

#include "moe/sentence.h"

namespace molt {

// Low-rank updates of linears (LoRA): y += scaling * B A dropout(x). One mask for each linear
// group.
struct LowRankBank final : Bank {
  int64_t rank = 8;
  double alpha = 16, dropout = 0;
  bool rank_stabilised = false;  // scaling alpha / sqrt(rank) in place of alpha / rank
  std::map<std::string, int64_t> rank_pattern;
  std::map<std::string, double> alpha_pattern;
  void attach(const Sentence& sentence, Sites& sites, Attachment& attachment) const override;
};

// Low-rank experts of linears, mixed by token: y = W x + sum_i g_i scaling B_i A_i dropout_i(x),
// with a router for each linear (LoRA experts: LoRAMoE, MoLA, DynMoLE). The sentence says how they
// route.
struct ExpertBank final : Bank {
  std::vector<int64_t> experts = {6};  // one number, or one for each layer
  std::vector<int64_t> ranks = {8};    // one number, or one for each layer
  double alpha = 16, dropout = 0;
  bool rank_stabilised = false;
  bool mask_for_each_expert = false;  // of the dropout; else one for each linear group
  // Of the router: U(-b, b) with b = sqrt(6 / ((1 + router_range) in)), or, where it is set, N(0,
  // router_deviation).
  double router_range = 5;
  std::optional<double> router_deviation;
  std::string method = "mixture";  // for messages
  void attach(const Sentence& sentence, Sites& sites, Attachment& attachment) const override;
};

// Learned scales (IA3): of a linear's output, or of the input of an ffn_down.
struct ScaleBank final : Bank {
  void attach(const Sentence& sentence, Sites& sites, Attachment& attachment) const override;
};

// Bottleneck adapters at the end of sublayers (Houlsby): x + up(activation(down(x))).
struct BottleneckBank final : Bank {
  int64_t width = 64;
  std::string activation = "gelu";
  bool after_attention = true, after_feed_forward = true;
  bool train_norms = true;
  double initial_deviation = 0.01;  // of `down`; `up` starts at zero
  void attach(const Sentence& sentence, Sites& sites, Attachment& attachment) const override;
};

// The model's own weights, trained where they stand.
struct BaseWeightBank final : Bank {
  enum class Which { all, biases } which = Which::all;
  void attach(const Sentence& sentence, Sites& sites, Attachment& attachment) const override;
};

// The model's own blocks (MoLEx): needs a router and a blend.
struct LayerBank final : Bank {
  std::vector<int64_t> mixed;  // positions at which another block is blended in
  bool causal = false;         // of the stack: a token sees itself and those before it
  void attach(const Sentence& sentence, Sites& sites, Attachment& attachment) const override;
};

}  // namespace molt
