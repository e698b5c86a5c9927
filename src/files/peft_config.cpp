#include "files/peft_config.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"

namespace mixtune {
namespace {

// Fields that change what an adapter computes and that are not supported.
const std::set<std::string> kRejected = {"target_parameters",
                                         "layer_replication",
                                         "trainable_token_indices",
                                         "alora_invocation_tokens",
                                         "use_qalora",
                                         "use_bdlora",
                                         "arrow_config",
                                         "kasa_config",
                                         "velora_config",
                                         "monteclora_config",
                                         "corda_config",
                                         "eva_config",
                                         "lora_ga_config",
                                         "megatron_config",
                                         "loftq_config",
                                         "ensure_weight_tying"};

// Fields that describe the training setup or PEFT's own loading.
const std::set<std::string> kWithoutEffect = {
    "peft_type",      "auto_mapping",      "inference_mode",   "megatron_core",
    "runtime_config", "qalora_group_size", "init_lora_weights"};

class Reader {
 public:
  Reader(const OrderedJson& object, const std::string& where) : object_(object), where_(where) {}

  PeftLoraConfig read() {
    check_type();
    check_unsupported();
    PeftLoraConfig config;
    integer("r", config.r, 1);
    number("lora_alpha", config.lora_alpha);
    number("lora_dropout", config.lora_dropout);
    if (config.lora_dropout < 0 || config.lora_dropout >= 1)
      wrong("lora_dropout", "at least 0 and below 1");
    flag("use_rslora", config.use_rslora);
    flag("use_dora", config.use_dora);
    flag("fan_in_fan_out", config.fan_in_fan_out);
    text("bias", config.bias);
    if (config.bias != "none" && config.bias != "all" && config.bias != "lora_only")
      wrong("bias", "none, all or lora_only");
    names_or_text("target_modules", config.target_modules, config.target_pattern);
    flag("lora_bias", config.lora_bias);
    std::string one_excluded;
    names_or_text("exclude_modules", config.exclude_modules, one_excluded);
    if (!one_excluded.empty()) config.exclude_modules = {one_excluded};
    names("modules_to_save", config.modules_to_save);
    layers(config.layers_to_transform);
    std::string one_layers_pattern;
    names_or_text("layers_pattern", config.layers_pattern, one_layers_pattern);
    if (!one_layers_pattern.empty()) config.layers_pattern = {one_layers_pattern};
    rank_pattern(config.rank_pattern);
    alpha_pattern(config.alpha_pattern);
    text("task_type", config.task_type);
    text("base_model_name_or_path", config.base_model_name_or_path);
    text("revision", config.revision);
    text("peft_version", config.peft_version);
    for (const auto& [key, value] : object_.items())
      if (known_.count(key) == 0 && kWithoutEffect.count(key) == 0 && is_set(value))
        config.unknown_keys.push_back(key);
    return config;
  }

 private:
  static bool is_set(const OrderedJson& value) {
    return !(value.is_null() || value == false || value == "" ||
             ((value.is_array() || value.is_object()) && value.empty()));
  }

  [[noreturn]] void wrong(const std::string& key, const std::string& expected) const {
    std::string found = object_.at(key).dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
    if (found.size() > 80) found = found.substr(0, 80) + "...";
    throw UserError(where_, key + " is " + found + "; expected " + expected,
                    "Save the adapter again with a released version of PEFT.");
  }

  // The value, or nullptr if it is absent or null: PEFT's defaults apply then.
  const OrderedJson* value(const std::string& key) {
    known_.insert(key);
    const auto found = object_.find(key);
    return found == object_.end() || found->is_null() ? nullptr : &*found;
  }

  void check_type() {
    if (!object_.is_object())
      throw UserError(where_, "is not a JSON object",
                      "Name the adapter_config.json of an adapter.");
    const OrderedJson* type = value("peft_type");
    if (type == nullptr)
      throw UserError(where_, "has no peft_type; expected \"LORA\"",
                      "Name an adapter_config.json of PEFT.");
    if (*type != "LORA") wrong("peft_type", "\"LORA\"");
  }

  void check_unsupported() {
    for (const std::string& key : kRejected)
      if (const OrderedJson* found = value(key); found != nullptr && is_set(*found))
        throw UserError(where_, key + " is set, which mixtune does not support",
                        "Merge the adapter into its base with PEFT and use the merged model.");
    // These initializations subtract the initial adapter from the base weights, so the adapter
    // alone does not define its update.
    const OrderedJson* start = value("init_lora_weights");
    if (start == nullptr || start->is_boolean()) return;
    for (const char* name : {"gaussian", "eva", "orthogonal"})
      if (*start == name) return;
    throw UserError(where_,
                    "init_lora_weights is " + start->dump() + ", which changes the base weights",
                    "Save it from PEFT with path_initial_model_for_weight_conversion.");
  }

  void integer(const std::string& key, int64_t& out, int64_t minimum) {
    const OrderedJson* found = value(key);
    if (found == nullptr) return;
    if (!is_integer(*found) || found->get<int64_t>() < minimum)
      wrong(key, "a whole number from " + std::to_string(minimum));
    out = found->get<int64_t>();
  }
  void number(const std::string& key, double& out) {
    const OrderedJson* found = value(key);
    if (found == nullptr) return;
    if (!found->is_number()) wrong(key, "a number");
    out = found->get<double>();
  }
  void flag(const std::string& key, bool& out) {
    const OrderedJson* found = value(key);
    if (found == nullptr) return;
    if (!found->is_boolean()) wrong(key, "true or false");
    out = found->get<bool>();
  }
  void text(const std::string& key, std::string& out) {
    const OrderedJson* found = value(key);
    if (found == nullptr) return;
    if (!found->is_string()) wrong(key, "a string or null");
    out = found->get<std::string>();
  }
  void names(const std::string& key, std::vector<std::string>& out) {
    const OrderedJson* found = value(key);
    if (found == nullptr) return;
    if (!is_list_of(*found, [](const OrderedJson& item) { return item.is_string(); }))
      wrong(key, "a list of names or null");
    out = found->get<std::vector<std::string>>();
  }
  void names_or_text(const std::string& key, std::vector<std::string>& out, std::string& one) {
    const OrderedJson* found = value(key);
    if (found != nullptr && found->is_string())
      one = found->get<std::string>();
    else
      names(key, out);
  }
  void layers(std::optional<std::vector<int64_t>>& out) {
    const OrderedJson* found = value("layers_to_transform");
    if (found == nullptr) return;
    const auto is_layer = [](const OrderedJson& item) {
      return is_integer(item) && item.get<int64_t>() >= 0;
    };
    if (is_layer(*found))
      out = {found->get<int64_t>()};
    else if (is_list_of(*found, is_layer))
      out = found->get<std::vector<int64_t>>();
    else
      wrong("layers_to_transform", "a layer, a list of layers or null");
    if (out->empty()) out.reset();  // PEFT treats an empty list as null
  }
  void rank_pattern(std::vector<std::pair<std::string, int64_t>>& out) {
    const OrderedJson* found = value("rank_pattern");
    if (found == nullptr) return;
    if (!found->is_object()) wrong("rank_pattern", "a map of patterns to ranks");
    for (const auto& [pattern, rank] : found->items()) {
      if (!is_integer(rank) || rank.get<int64_t>() < 1)
        wrong("rank_pattern", "whole numbers from 1");
      out.emplace_back(pattern, rank.get<int64_t>());
    }
  }
  void alpha_pattern(std::vector<std::pair<std::string, double>>& out) {
    const OrderedJson* found = value("alpha_pattern");
    if (found == nullptr) return;
    if (!found->is_object()) wrong("alpha_pattern", "a map of patterns to numbers");
    for (const auto& [pattern, alpha] : found->items()) {
      if (!alpha.is_number()) wrong("alpha_pattern", "numbers");
      out.emplace_back(pattern, alpha.get<double>());
    }
  }

  static bool is_integer(const OrderedJson& value) {
    return value.is_number_integer() && (!value.is_number_unsigned() ||
                                         value.get<uint64_t>() <= static_cast<uint64_t>(INT64_MAX));
  }
  template <class Test>
  static bool is_list_of(const OrderedJson& value, const Test& test) {
    return value.is_array() && std::all_of(value.begin(), value.end(), test);
  }

  const OrderedJson& object_;
  const std::string& where_;
  std::set<std::string> known_;
};

OrderedJson text_or_null(const std::string& text) {
  return text.empty() ? OrderedJson(nullptr) : OrderedJson(text);
}

// Older versions of PEFT declare alpha as an int.
OrderedJson number_json(double value) {
  if (value == std::floor(value) && std::abs(value) < 1e15) return static_cast<int64_t>(value);
  return value;
}

template <class T>
OrderedJson list_or_null(const std::vector<T>& values) {
  return values.empty() ? OrderedJson(nullptr) : OrderedJson(values);
}

}  // namespace

PeftLoraConfig parse_peft_config(std::string_view json, const std::string& where) {
  return Reader(parse_ordered_json(json, where), where).read();
}

PeftLoraConfig read_peft_config(const std::filesystem::path& path) {
  return parse_peft_config(read_file(path), path.string());
}

std::string print_peft_config(const PeftLoraConfig& config) {
  // The patterns keep their order, which is significant; the other keys are written in sorted
  // order.
  OrderedJson ranks = OrderedJson::object(), alphas = OrderedJson::object();
  for (const auto& [pattern, rank] : config.rank_pattern) ranks[pattern] = rank;
  for (const auto& [pattern, alpha] : config.alpha_pattern) alphas[pattern] = number_json(alpha);
  OrderedJson out = OrderedJson::object();
  out["alpha_pattern"] = alphas;
  out["auto_mapping"] = nullptr;
  out["base_model_name_or_path"] = text_or_null(config.base_model_name_or_path);
  out["bias"] = config.bias;
  out["fan_in_fan_out"] = config.fan_in_fan_out;
  out["inference_mode"] = true;
  out["init_lora_weights"] = true;
  out["layers_pattern"] = list_or_null(config.layers_pattern);
  out["layers_to_transform"] =
      config.layers_to_transform ? OrderedJson(*config.layers_to_transform) : OrderedJson(nullptr);
  out["lora_alpha"] = number_json(config.lora_alpha);
  // Older versions of PEFT do not have this key.
  if (config.lora_bias) out["lora_bias"] = true;
  out["lora_dropout"] = config.lora_dropout;
  out["modules_to_save"] = list_or_null(config.modules_to_save);
  out["peft_type"] = "LORA";
  if (!config.peft_version.empty()) out["peft_version"] = config.peft_version;
  out["r"] = config.r;
  out["rank_pattern"] = ranks;
  out["revision"] = text_or_null(config.revision);
  out["target_modules"] = config.target_pattern.empty() ? list_or_null(config.target_modules)
                                                        : OrderedJson(config.target_pattern);
  out["task_type"] = text_or_null(config.task_type);
  out["use_dora"] = config.use_dora;
  out["use_rslora"] = config.use_rslora;
  return out.dump(2) + '\n';
}

void write_peft_config(const std::filesystem::path& path, const PeftLoraConfig& config) {
  write_file_atomically(path, print_peft_config(config));
}

}  // namespace mixtune
