// The banks: what a sentence adds at its sites.
#pragma once

#include "moe/sentence.h"

namespace molt {

// Low-rank updates of linears (LoRA): y += scaling * B A dropout(x). One mask for each linear
// group.
struct LowRankBank final : Bank {
  std::string method = "lora";  // for messages
  int64_t rank = 8;
  double alpha = 16, dropout = 0;
  bool rank_stabilised = false;  // scaling alpha / sqrt(rank) in place of alpha / rank
  std::map<std::string, int64_t> rank_pattern;
  std::map<std::string, double> alpha_pattern;
  bool magnitude = false;   // trained lengths of the rows of W + scaling B A (DoRA)
  bool train_bias = false;  // the biases of the adapted linears
  bool up_bias = false;     // a bias on B
  double plus = 1;          // the learning rate of B as a multiple of that of A (LoRA+)
  void attach(const Sentence& sentence, Sites& sites, Attachment& attachment) const override;
};

// Low-rank experts of linears, mixed by token: y = W x + sum_i g_i scaling B_i A_i dropout_i(x),
// with a router for each linear (LoRA experts: LoRAMoE, MoLA, DynMoLE). The sentence says how they
// route.
struct ExpertBank final : Bank {
  std::vector<int64_t> experts, ranks;  // one for each layer of the model
  double alpha = 16, dropout = 0;
  bool rank_stabilised = false;       // scaling alpha / sqrt(rank) in place of alpha / rank
  bool mask_for_each_expert = false;  // of the dropout; else one for each linear group
  bool starts_gaussian = false;       // A from N(0, 1 / rank) in place of U(-1/sqrt(in), 1/sqrt(in))
  // Of the router: U(-b, b) with b = sqrt(6 / ((1 + router_range) in)), or, where it is set, N(0,
  // router_deviation).
  double router_range = 5;
  std::optional<double> router_deviation;
  GroupSettings router_settings;
  std::string method = "mixture";  // for messages
  void attach(const Sentence& sentence, Sites& sites, Attachment& attachment) const override;
};

// Whole feed-forwards as experts, mixed by token: y = sum_e w_e expert_e(x), with one router for
// each block. An expert is the feed-forward with low-rank updates of its own on each of its linears
// (MixLoRA). The sentence says how they route.
struct FeedForwardExpertBank final : Bank {
  int64_t experts = 8, rank = 16;
  double alpha = 32, dropout = 0;
  bool rank_stabilised = false;
  double router_deviation = 0.02;  // of the router: N(0, this)
  double jitter = 0;               // in training: the router reads x * U(1 - jitter, 1 + jitter)
  // In training: tokens of a sequence that one expert takes; what finds no place passes through.
  std::optional<int64_t> capacity = {};
  std::string method = "mixlora";  // for messages
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
