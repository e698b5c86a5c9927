// The parts of a Hugging Face config.json that the program uses. The whole file is kept as text, to
// be saved with the fields that the program does not use.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "nn/rotary.h"

namespace mixtune {

// The differences between decoders; layers read these settings and never the model type.
struct DecoderConfig {
  int64_t key_value_heads = 12, head_width = 64;
  RotarySettings rotary;
  std::vector<int64_t> windows;  // by layer, in tokens; 0: all earlier tokens
  bool tied = false;             // the head is tied to the embedding
  bool attention_biased = false, output_biased = false, feed_forward_biased = false;
  bool normalizes_heads = false;    // Qwen3: RMS norm of each head of query and key
  bool normalizes_outputs = false;  // Gemma 2: a norm after each sublayer too
  double norm_offset = 0;           // Gemma: norms multiply by 1 + weight
  double embedding_scale = 1;
  double attention_scale = 0;                // factor of the scores; 0: 1 / sqrt(head_width)
  bool scales_by_layer = false;              // GPT-2: scores are divided by layer index + 1
  double attention_cap = 0, logits_cap = 0;  // soft caps; 0: none
  double embedding_dropout = 0, residual_dropout = 0;
};

struct ModelConfig {
  std::string model_type;  // one of supported_model_types()
  std::vector<std::string> architectures;
  int64_t vocab_size = 30522, hidden_size = 768, layers = 12, heads = 12, intermediate_size = 3072;
  int64_t max_positions = 512, type_vocab_size = 2, pad_token_id = 0;
  std::string hidden_act = "gelu";
  double hidden_dropout = 0.1, attention_dropout = 0.1;
  std::optional<double> classifier_dropout;
  double initializer_range = 0.02, layer_norm_epsilon = 1e-12;
  std::optional<std::string> problem_type;
  std::vector<std::string> labels;  // names in the order of ids; empty: the file describes no head
  std::optional<DecoderConfig> decoder;  // set for causal models
  std::string text;                      // the unchanged content of the file

  double head_dropout() const { return classifier_dropout.value_or(hidden_dropout); }
  int64_t head_width() const { return hidden_size / heads; }
};

// Reads `folder`/config.json. UserError: missing file, unsupported model_type (with those
// supported), a value of the wrong type or out of range.
ModelConfig read_model_config(const std::filesystem::path& folder);

// Sets every dropout of the model itself.
void set_dropout(ModelConfig& config, double probability);

const std::vector<std::string>& supported_model_types();

}  // namespace mixtune
