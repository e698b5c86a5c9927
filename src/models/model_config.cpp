#include "models/model_config.h"

#include <algorithm>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"

namespace molt {
namespace {

// Reads values of one config.json with their name in every error.
class Reader {
 public:
  Reader(const Json& json, std::string where) : json_(json), where_(std::move(where)) {}

  bool has(const char* key) const { return json_.contains(key) && !json_[key].is_null(); }

  int64_t integer(const char* key, int64_t fallback, int64_t low, int64_t high) const {
    if (!has(key)) return fallback;
    if (!json_[key].is_number_integer()) wrong(key, "an integer");
    const int64_t value = json_[key].get<int64_t>();
    if (value < low || value > high)
      wrong(key, std::to_string(low) + " to " + std::to_string(high));
    return value;
  }

  double number(const char* key, double fallback, double low, double high) const {
    if (!has(key)) return fallback;
    if (!json_[key].is_number()) wrong(key, "a number");
    const double value = json_[key].get<double>();
    if (!(value >= low && value <= high))
      wrong(key, "a number from " + std::to_string(low) + " to " + std::to_string(high));
    return value;
  }

  std::string text(const char* key, std::string fallback) const {
    if (!has(key)) return fallback;
    if (!json_[key].is_string()) wrong(key, "a text");
    return json_[key].get<std::string>();
  }

  [[noreturn]] void wrong(const char* key, const std::string& expected) const {
    throw UserError(where_,
                    std::string(key) + " is " + json_[key].dump() + "; expected " + expected,
                    "Is this the config.json of a supported model?");
  }

  // id2label {"0": name, ...} to names in the order of ids.
  std::vector<std::string> labels() const {
    std::vector<std::string> out;
    if (!has("id2label")) return out;
    const Json& map = json_["id2label"];
    if (!map.is_object() || map.size() > 100000) wrong("id2label", "an object from ids to names");
    for (size_t i = 0; i < map.size(); ++i) {
      const auto found = map.find(std::to_string(i));
      if (found == map.end() || !found->is_string())
        wrong("id2label", "a name for every id from 0 to " + std::to_string(map.size() - 1));
      out.push_back(found->get<std::string>());
    }
    return out;
  }

 private:
  const Json& json_;
  std::string where_;
};

}  // namespace

const std::vector<std::string>& supported_model_types() {
  static const std::vector<std::string> types = {"bert", "roberta"};
  return types;
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
  const Reader read(json, path.string());

  config.model_type = read.text("model_type", "");
  const auto& types = supported_model_types();
  if (std::find(types.begin(), types.end(), config.model_type) == types.end())
    throw UserError(path.string(),
                    "model_type is '" + config.model_type + "'; supported: " + join_names(types),
                    "Choose a model of a supported type.");
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
  config.initializer_range = read.number("initializer_range", 0.02, 0, 10);
  config.layer_norm_epsilon = read.number("layer_norm_eps", roberta ? 1e-5 : 1e-12, 0, 1);
  if (read.has("problem_type")) config.problem_type = read.text("problem_type", "");
  config.labels = read.labels();
  if (read.has("architectures") && json["architectures"].is_array())
    for (const Json& name : json["architectures"])
      if (name.is_string()) config.architectures.push_back(name.get<std::string>());

  static const std::vector<std::string> activations = {"gelu", "gelu_new", "gelu_pytorch_tanh",
                                                       "relu", "silu",     "swish"};
  if (std::find(activations.begin(), activations.end(), config.hidden_act) == activations.end())
    read.wrong("hidden_act", "one of " + join_names(activations));
  if (read.text("position_embedding_type", "absolute") != "absolute")
    read.wrong("position_embedding_type", "absolute");
  if (config.hidden_size % config.heads != 0)
    read.wrong("num_attention_heads",
               "a divisor of hidden_size " + std::to_string(config.hidden_size));
  return config;
}

}  // namespace molt
