#include "models/model_config.h"

#include <algorithm>

#include "base/file.h"
#include "models/config_fields.h"
#include "nn/feed_forward.h"

namespace mixtune {

const std::vector<std::string>& supported_model_types() {
  static const std::vector<std::string> types = [] {
    std::vector<std::string> out = {"bert", "roberta"};
    out.insert(out.end(), decoder_types().begin(), decoder_types().end());
    return out;
  }();
  return types;
}

namespace {

void read_encoder(const ConfigFields& read, ModelConfig& config) {
  const bool roberta = config.model_type == "roberta";
  config.vocab_size = read.integer("vocab_size", roberta ? 50265 : 30522, 1, 1 << 24);
  config.hidden_size = read.integer("hidden_size", 768, 1, 1 << 16);
  config.layers = read.integer("num_hidden_layers", 12, 1, 1024);
  config.heads = read.integer("num_attention_heads", 12, 1, 1024);
  config.intermediate_size = read.integer("intermediate_size", 3072, 1, 1 << 18);
  config.max_positions =
      read.integer("max_position_embeddings", roberta ? 514 : 512, roberta ? 3 : 1, 1 << 20);
  config.type_vocab_size = read.integer("type_vocab_size", roberta ? 1 : 2, 1, 1024);
  config.pad_token_id = read.integer("pad_token_id", roberta ? 1 : 0, 0, 1 << 24);
  config.hidden_act = read.text("hidden_act", "gelu");
  config.hidden_dropout = read.number("hidden_dropout_prob", 0.1, 0, 0.999);
  config.attention_dropout = read.number("attention_probs_dropout_prob", 0.1, 0, 0.999);
  if (read.has("classifier_dropout"))
    config.classifier_dropout = read.number("classifier_dropout", 0.1, 0, 0.999);
  config.layer_norm_epsilon = read.number("layer_norm_eps", roberta ? 1e-5 : 1e-12, 0, 1);
  check_activation(read, "hidden_act", config.hidden_act);
  if (read.text("position_embedding_type", "absolute") != "absolute")
    read.wrong("position_embedding_type", "absolute");
  if (config.hidden_size % config.heads != 0)
    read.wrong("num_attention_heads",
               "a divisor of hidden_size " + std::to_string(config.hidden_size));
}

}  // namespace

void check_activation(const ConfigFields& fields, const char* key, const std::string& activation) {
  const auto& names = activation_names();
  if (std::find(names.begin(), names.end(), activation) == names.end())
    fields.wrong(key, "one of " + join_names(names));
}

void set_dropout(ModelConfig& config, double probability) {
  config.hidden_dropout = config.attention_dropout = probability;
  config.classifier_dropout = probability;
  if (config.decoder)
    config.decoder->embedding_dropout = config.decoder->residual_dropout = probability;
}

ModelConfig read_model_config(const std::filesystem::path& folder) {
  std::error_code error;
  if (!std::filesystem::is_directory(folder, error))
    throw UserError(folder.string(), "is not a folder; expected a Hugging Face model folder",
                    "Set model.path to a folder with config.json and model.safetensors.");
  const auto path = folder / "config.json";
  ModelConfig config;
  config.text = read_file(path);
  const Json json = parse_json(config.text, path.string());
  if (!json.is_object())
    throw UserError(path.string(), "is not a JSON object", "Is this a model's config.json?");
  const ConfigFields read(json, path.string());

  config.model_type = read.text("model_type", "");
  const auto& types = supported_model_types();
  if (std::find(types.begin(), types.end(), config.model_type) == types.end())
    throw UserError(path.string(),
                    "model_type is '" + config.model_type + "'; supported: " + join_names(types),
                    "Choose a model of a supported type.");
  if (is_decoder_type(config.model_type))
    read_decoder(read, config);
  else
    read_encoder(read, config);
  config.initializer_range = read.number("initializer_range", 0.02, 0, 10);
  if (read.has("problem_type")) config.problem_type = read.text("problem_type", "");
  config.labels = read.labels();
  if (read.has("architectures") && json["architectures"].is_array())
    for (const Json& name : json["architectures"])
      if (name.is_string()) config.architectures.push_back(name.get<std::string>());
  return config;
}

}  // namespace mixtune
