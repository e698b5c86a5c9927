// The options that LoRA and DoRA share.
#pragma once

#include "base/fields.h"
#include "moe/experts/adapters.h"

namespace mixtune {

struct LowRankConfig : Config {
  int64_t rank = 8;
  double alpha = 16, dropout = 0, plus = 1;
  bool rslora = false;
  std::vector<std::string> targets = {"query", "value"}, exclude;
  std::optional<std::vector<int64_t>> layers;
  std::map<std::string, int64_t> rank_pattern;
  std::map<std::string, double> alpha_pattern;
  std::string bias = "none", init = "uniform";

  void fields(FieldVisitor& v) override {
    v.field("r", rank, "Rank of the updates.", {.minimum = 1, .maximum = 65536});
    v.field("lora_alpha", alpha, "Updates are scaled by lora_alpha / r.", {.above = 0});
    v.field("lora_dropout", dropout, "Dropout on the input of the updates.",
            {.minimum = 0, .below = 1});
    v.field("use_rslora", rslora, "Scale by lora_alpha / sqrt(r) instead (rsLoRA).");
    v.field("loraplus_lr_ratio", plus,
            "LoRA+: learning rate of B as a multiple of that of A; 1: equal; 16 in the paper.",
            {.above = 0});
    v.field("target_modules", targets,
            "Linear layers to adapt: roles (query, key, value, attention_output, ffn_up, "
            "ffn_down), ends of module names, regular expressions, or all-linear.");
    v.field("exclude_modules", exclude,
            "Linear layers to exclude, by module name or regular expression.");
    v.field("layers_to_transform", layers, "Indices of the layers to adapt; null: all.");
    v.field("rank_pattern", rank_pattern, "Ranks that differ from r, by pattern of module names.",
            {.minimum = 1, .maximum = 65536});
    v.field("alpha_pattern", alpha_pattern,
            "Values that differ from lora_alpha, by pattern of module names.", {.above = 0});
    v.field(
        "init_lora_weights", init,
        "Initialization of A; uniform: U(-1/sqrt(in), 1/sqrt(in)); gaussian: standard deviation "
        "1/r. B starts at 0.",
        {.choices = {"uniform", "gaussian"}});
    v.field("bias", bias, "lora_only: also train the biases of the adapted linear layers.",
            {.choices = {"none", "lora_only"}});
  }

  std::shared_ptr<LoraAdapter> adapter(const std::string& method) const {
    auto out = std::make_shared<LoraAdapter>();
    out->method = method;
    out->rank = rank;
    out->alpha = alpha;
    out->dropout = dropout;
    out->plus = plus;
    out->rank_stabilized = rslora;
    out->rank_pattern = rank_pattern;
    out->alpha_pattern = alpha_pattern;
    out->starts_gaussian = init == "gaussian";
    out->train_bias = bias == "lora_only";
    return out;
  }
};

}  // namespace mixtune
