// Reads the config.json of GPT-2 and the LLaMA family. Properties that config.json does not contain
// follow from the model type.
#include <algorithm>
#include <cmath>

#include "models/config_fields.h"

namespace mixtune {
namespace {

// Properties that follow from the model type, and defaults of optional fields.
struct FamilyRules {
  const char* model_type;
  bool attention_biased;    // query, key and value always have biases
  bool normalizes_heads;    // RMS norm of each head of query and key
  bool normalizes_outputs;  // a norm after each sublayer
  bool scales_embeddings;   // by sqrt(hidden_size)
  bool tied;                // default of tie_word_embeddings
  double norm_offset;       // norms multiply by offset + weight
  double norm_epsilon;      // default of rms_norm_eps
  int64_t head_width;       // default of head_dim; 0: hidden_size / heads
  int64_t window;           // default of sliding_window; 0: none
  enum class Slides { never, always, from_a_layer, every_second } slides;
};

constexpr FamilyRules kFamilies[] = {
    {"llama", false, false, false, false, false, 0, 1e-6, 0, 0, FamilyRules::Slides::never},
    {"mistral", false, false, false, false, false, 0, 1e-6, 0, 4096, FamilyRules::Slides::always},
    {"qwen2", true, false, false, false, false, 0, 1e-6, 0, 4096,
     FamilyRules::Slides::from_a_layer},
    {"qwen3", false, true, false, false, false, 0, 1e-6, 128, 4096,
     FamilyRules::Slides::from_a_layer},
    {"gemma", false, false, false, true, true, 1, 1e-6, 256, 0, FamilyRules::Slides::never},
    {"gemma2", false, false, true, true, true, 1, 1e-6, 256, 4096,
     FamilyRules::Slides::every_second},
};

// The rotary settings are in rope_parameters, or in rope_theta and rope_scaling in older files.
RotarySettings read_rotary(const ConfigFields& read, int64_t width, int64_t positions) {
  RotarySettings out;
  out.width = width;
  out.positions = out.original_positions = positions;
  const bool is_current = read.has("rope_parameters");
  const char* key = is_current ? "rope_parameters" : "rope_scaling";
  out.base = read.number("rope_theta", 10000, 1, 1e12);
  if (!read.has(key)) return out;
  const Json& json = read.json()[key];
  if (!json.is_object()) read.wrong(key, "an object");
  const ConfigFields rope(json, read.where() + ": " + key);
  if (is_current) out.base = rope.number("rope_theta", out.base, 1, 1e12);
  const std::string type = rope.text("rope_type", rope.text("type", "default"));
  if (type == "default") return out;
  out.factor = rope.number("factor", 1, 1e-3, 1e6);
  out.original_positions = rope.integer(
      "original_max_position_embeddings",
      read.integer("original_max_position_embeddings", positions, 1, 1 << 24), 1, 1 << 24);
  if (type == "linear") {
    out.kind = RotarySettings::Kind::linear;
  } else if (type == "dynamic") {
    out.kind = RotarySettings::Kind::dynamic;
  } else if (type == "yarn") {
    out.kind = RotarySettings::Kind::yarn;
    if (!rope.has("factor"))
      out.factor = static_cast<double>(positions) / static_cast<double>(out.original_positions);
    out.beta_fast = rope.number("beta_fast", 32, 1e-6, 1e6);
    out.beta_slow = rope.number("beta_slow", 1, 1e-6, 1e6);
    out.truncates = rope.flag("truncate", true);
    if (rope.has("attention_factor"))
      out.attention_factor = rope.number("attention_factor", 1, 0, 1e6);
    if (rope.has("mscale")) out.mscale = rope.number("mscale", 1, 0, 1e6);
    if (rope.has("mscale_all_dim")) out.mscale_all = rope.number("mscale_all_dim", 1, 0, 1e6);
  } else if (type == "llama3") {
    out.kind = RotarySettings::Kind::llama3;
    out.low_frequency = rope.number("low_freq_factor", 1, 1e-6, 1e6);
    out.high_frequency = rope.number("high_freq_factor", 4, 1e-6, 1e6);
    if (out.high_frequency <= out.low_frequency)
      rope.wrong("high_freq_factor", "more than low_freq_factor");
  } else {
    rope.wrong(rope.has("rope_type") ? "rope_type" : "type",
               "default, linear, dynamic, yarn or llama3");
  }
  return out;
}

// The window of each layer, in tokens; 0: none.
std::vector<int64_t> read_windows(const ConfigFields& read, const FamilyRules& family,
                                  int64_t layers) {
  std::vector<int64_t> out(static_cast<size_t>(layers));
  if (family.slides == FamilyRules::Slides::never) return out;
  const Json& json = read.json();
  const bool is_null = json.contains("sliding_window") && json["sliding_window"].is_null();
  const int64_t window = is_null ? 0 : read.integer("sliding_window", family.window, 1, 1 << 24);
  const bool from_a_layer = family.slides == FamilyRules::Slides::from_a_layer;
  if (window == 0 || (from_a_layer && !read.flag("use_sliding_window", false))) return out;
  if (read.has("layer_types")) {
    const Json& types = json["layer_types"];
    if (!types.is_array() || static_cast<int64_t>(types.size()) != layers)
      read.wrong("layer_types", "a list of " + std::to_string(layers));
    for (size_t l = 0; l < out.size(); ++l) {
      if (types[l] == "sliding_attention")
        out[l] = window;
      else if (types[l] != "full_attention")
        read.wrong("layer_types", "sliding_attention or full_attention for each layer");
    }
    return out;
  }
  const int64_t first = from_a_layer ? read.integer("max_window_layers", 28, 0, 1 << 20) : 0;
  for (int64_t l = 0; l < layers; ++l)
    if (l >= first && (family.slides != FamilyRules::Slides::every_second || l % 2 == 0))
      out[l] = window;
  return out;
}

void read_family(const ConfigFields& read, const FamilyRules& family, ModelConfig& c) {
  DecoderConfig d;
  c.vocab_size = read.integer("vocab_size", 32000, 1, 1 << 24);
  c.hidden_size = read.integer("hidden_size", 4096, 1, 1 << 16);
  c.layers = read.integer("num_hidden_layers", 32, 1, 1024);
  c.heads = read.integer("num_attention_heads", 32, 1, 1024);
  c.intermediate_size = read.integer("intermediate_size", 11008, 1, 1 << 20);
  c.max_positions = read.integer("max_position_embeddings", 2048, 1, 1 << 24);
  c.layer_norm_epsilon = read.number("rms_norm_eps", family.norm_epsilon, 0, 1);
  c.attention_dropout = read.number("attention_dropout", 0, 0, 0.999);
  d.key_value_heads = read.integer("num_key_value_heads", c.heads, 1, 1024);
  if (c.heads % d.key_value_heads != 0)
    read.wrong("num_key_value_heads", "a divisor of " + std::to_string(c.heads) + " heads");
  if (!read.has("head_dim") && family.head_width == 0 && c.hidden_size % c.heads != 0)
    read.wrong("num_attention_heads", "a divisor of " + std::to_string(c.hidden_size));
  d.head_width = read.integer(
      "head_dim", family.head_width ? family.head_width : c.hidden_size / c.heads, 2, 4096);
  if (d.head_width % 2 != 0) read.wrong("head_dim", "an even number");
  c.hidden_act = read.text("hidden_act", family.norm_offset != 0 ? "gelu_pytorch_tanh" : "silu");
  if (read.has("hidden_activation"))
    c.hidden_act = read.text("hidden_activation", "");
  else if (family.norm_offset != 0 && c.hidden_act == "gelu")
    c.hidden_act = "gelu_pytorch_tanh";  // as Gemma's first files intended
  check_activation(read, read.has("hidden_activation") ? "hidden_activation" : "hidden_act",
                   c.hidden_act);
  d.rotary = read_rotary(read, d.head_width, c.max_positions);
  d.windows = read_windows(read, family, c.layers);
  d.tied = read.flag("tie_word_embeddings", family.tied);
  const bool biased = read.flag("attention_bias", false);
  d.attention_biased = family.attention_biased || biased;
  d.output_biased = biased;
  d.feed_forward_biased = read.flag("mlp_bias", false);
  d.normalizes_heads = family.normalizes_heads;
  d.normalizes_outputs = family.normalizes_outputs;
  d.norm_offset = family.norm_offset;
  if (family.scales_embeddings) d.embedding_scale = std::sqrt(static_cast<double>(c.hidden_size));
  if (family.normalizes_outputs) {  // Gemma 2
    d.attention_scale = 1 / std::sqrt(read.number("query_pre_attn_scalar", 256, 1e-6, 1e9));
    if (!read.json().contains("attn_logit_softcapping") || read.has("attn_logit_softcapping"))
      d.attention_cap = read.number("attn_logit_softcapping", 50, 1e-6, 1e9);
    if (!read.json().contains("final_logit_softcapping") || read.has("final_logit_softcapping"))
      d.logits_cap = read.number("final_logit_softcapping", 30, 1e-6, 1e9);
  }
  if (read.flag("use_bidirectional_attention", false))
    read.wrong("use_bidirectional_attention", "false");
  c.decoder = d;
}

void read_gpt2(const ConfigFields& read, ModelConfig& c) {
  DecoderConfig d;
  c.vocab_size = read.integer("vocab_size", 50257, 1, 1 << 24);
  c.hidden_size = read.integer("n_embd", 768, 1, 1 << 16);
  c.layers = read.integer("n_layer", 12, 1, 1024);
  c.heads = read.integer("n_head", 12, 1, 1024);
  c.intermediate_size = read.integer("n_inner", 4 * c.hidden_size, 1, 1 << 20);
  c.max_positions = read.integer("n_positions", 1024, 1, 1 << 24);
  c.layer_norm_epsilon = read.number("layer_norm_epsilon", 1e-5, 0, 1);
  c.attention_dropout = read.number("attn_pdrop", 0.1, 0, 0.999);
  if (c.hidden_size % c.heads != 0)
    read.wrong("n_head", "a divisor of n_embd " + std::to_string(c.hidden_size));
  c.hidden_act = read.text("activation_function", "gelu_new");
  check_activation(read, "activation_function", c.hidden_act);
  d.key_value_heads = c.heads;
  d.head_width = c.hidden_size / c.heads;
  d.windows.assign(static_cast<size_t>(c.layers), 0);
  d.tied = read.flag("tie_word_embeddings", true);
  d.attention_biased = d.output_biased = d.feed_forward_biased = true;
  if (!read.flag("scale_attn_weights", true)) d.attention_scale = 1;
  d.scales_by_layer = read.flag("scale_attn_by_inverse_layer_idx", false);
  d.embedding_dropout = read.number("embd_pdrop", 0.1, 0, 0.999);
  d.residual_dropout = read.number("resid_pdrop", 0.1, 0, 0.999);
  if (read.flag("add_cross_attention", false)) read.wrong("add_cross_attention", "false");
  c.decoder = d;
}

}  // namespace

const std::vector<std::string>& decoder_types() {
  static const std::vector<std::string> types = [] {
    std::vector<std::string> out = {"gpt2"};
    for (const FamilyRules& family : kFamilies) out.emplace_back(family.model_type);
    return out;
  }();
  return types;
}

bool is_decoder_type(const std::string& model_type) {
  const auto& types = decoder_types();
  return std::find(types.begin(), types.end(), model_type) != types.end();
}

void read_decoder(const ConfigFields& fields, ModelConfig& config) {
  config.type_vocab_size = 1;
  config.hidden_dropout = 0;
  config.pad_token_id = fields.integer("pad_token_id", -1, -1, 1 << 24);
  if (config.model_type == "gpt2") {
    read_gpt2(fields, config);
    return;
  }
  for (const FamilyRules& family : kFamilies)
    if (config.model_type == family.model_type) read_family(fields, family, config);
}

}  // namespace mixtune
