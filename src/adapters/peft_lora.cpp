#include "adapters/peft_lora.h"

#include <algorithm>
#include <set>

namespace mixtune {
namespace {

// The module of a LoRA matrix A; empty for other tensors. In PEFT, AdaLoRA's matrices are
// parameters, without ".weight".
std::string module_of_down(const std::string& name) {
  for (const std::string_view end : {".lora_A.weight", ".lora_A"})
    if (name.ends_with(end)) return name.substr(0, name.size() - end.size());
  return "";
}

// Whether the tensor belongs to an adapted module but is not its A.
bool is_of_update(const std::string& name) {
  for (const char* end : {".lora_B.weight", ".lora_B.bias", ".base_layer.bias",
                          ".lora_magnitude_vector", ".lora_B", ".lora_E"})
    if (name.ends_with(end)) return true;
  return false;
}

// The path as a regular expression for PEFT's patterns that matches nothing else.
std::string escaped(const std::string& path) {
  std::string out;
  for (const char c : path) {
    if (c == '.') out += '\\';
    out += c;
  }
  return out;
}

// The entry of PEFT's modules_to_save for a tensor of the head: "classifier" for
// "classifier.dense.bias".
std::string saved_module(const std::string& tensor) {
  if (tensor.starts_with("classifier.")) return "classifier";
  return tensor.substr(0, tensor.rfind('.'));
}

}  // namespace

std::vector<std::string> adapted_modules(const NamedTensors& tensors) {
  std::vector<std::string> out;
  for (const auto& [name, tensor] : tensors)
    if (std::string module = module_of_down(name); !module.empty())
      out.push_back(std::move(module));
  return out;
}

PeftLoraConfig peft_config_of(const Json& method, const AdapterContents& contents) {
  PeftLoraConfig out;
  out.r = method.at(method.contains("r") ? "r" : "init_r").get<int64_t>();
  out.lora_alpha = method.at("lora_alpha").get<double>();
  out.lora_dropout = method.at("lora_dropout").get<double>();
  out.use_rslora = method.value("use_rslora", false);
  out.use_dora = method.at("name") == "dora";
  // Older adapters have no bias and no lora_bias option.
  out.bias = method.value("bias", "none");
  out.lora_bias = method.value("lora_bias", false);
  std::set<std::string> saved;
  for (const auto& [name, tensor] : contents.tensors) {
    if (const std::string module = module_of_down(name); !module.empty()) {
      out.target_modules.push_back(module);
      if (tensor.size(0) != out.r) out.rank_pattern.emplace_back(escaped(module), tensor.size(0));
    } else if (!is_of_update(name)) {
      saved.insert(saved_module(name));
    }
  }
  std::sort(out.target_modules.begin(), out.target_modules.end());
  out.modules_to_save.assign(saved.begin(), saved.end());
  if (contents.predicts_tokens)
    out.task_type = "CAUSAL_LM";
  else if (saved.contains("classifier") || saved.contains("score"))
    out.task_type = "SEQ_CLS";
  if (method.contains("alpha_pattern"))
    for (const auto& [pattern, alpha] : method.at("alpha_pattern").items())
      out.alpha_pattern.emplace_back(pattern, alpha.get<double>());
  return out;
}

std::string peft_config_text(const Json& method, const AdapterContents& contents) {
  const std::string text = print_peft_config(peft_config_of(method, contents));
  if (method.at("name") != "adalora") return text;
  Json out = Json::parse(text);
  out["peft_type"] = "ADALORA";
  out.erase("r");
  out["rank_pattern"] = nullptr;  // full shapes are saved; pruned ranks are zero in E
  for (const char* key : {"beta1", "beta2"}) out[key] = method.at(key);
  const int64_t first = method.at("tinit"), last = method.at("tfinal");
  out["init_r"] = method.at("init_r");
  out["target_r"] = method.at("target_r");
  out["deltaT"] = method.at("deltaT");
  out["orth_reg_weight"] = method.at("orth_reg_weight");
  out["tinit"] = first;
  out["tfinal"] = last;
  // PEFT requires it; the value matters only if training is continued with PEFT.
  out["total_step"] = first + last + 1;
  return out.dump(2) + "\n";
}

Json method_of(const PeftLoraConfig& config, const std::string& where) {
  const std::string merge = "Merge the adapter into its base with PEFT and use the merged model.";
  if (config.bias == "all")
    throw UserError(where, "bias is 'all'; supported: none, lora_only", merge);
  if (config.use_dora && config.lora_bias)
    throw UserError(where, "has use_dora and lora_bias, which dora does not have", merge);
  Json out = {{"name", config.use_dora ? "dora" : "lora"}, {"r", config.r},
              {"lora_alpha", config.lora_alpha},           {"lora_dropout", config.lora_dropout},
              {"use_rslora", config.use_rslora},           {"bias", config.bias}};
  if (config.lora_bias) out["lora_bias"] = true;
  if (!config.exclude_modules.empty()) out["exclude_modules"] = config.exclude_modules;
  if (!config.target_pattern.empty())
    out["target_modules"] = Json::array({config.target_pattern});
  else if (!config.target_modules.empty())
    out["target_modules"] = config.target_modules;
  if (config.layers_to_transform) out["layers_to_transform"] = *config.layers_to_transform;
  for (const auto& [pattern, rank] : config.rank_pattern) out["rank_pattern"][pattern] = rank;
  for (const auto& [pattern, alpha] : config.alpha_pattern) out["alpha_pattern"][pattern] = alpha;
  return out;
}

}  // namespace mixtune
