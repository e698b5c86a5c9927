#include "adapters/peft_lora.h"

#include <algorithm>
#include <set>

namespace molt {
namespace {

constexpr std::string_view kDown = ".lora_A.weight";

// What else an adapted module has in a file.
bool is_of_update(const std::string& name) {
  for (const char* end :
       {".lora_B.weight", ".lora_B.bias", ".base_layer.bias", ".lora_magnitude_vector"})
    if (name.ends_with(end)) return true;
  return false;
}

// A key of PEFT's patterns that matches one path and nothing else.
std::string escaped(const std::string& path) {
  std::string out;
  for (const char c : path) {
    if (c == '.') out += '\\';
    out += c;
  }
  return out;
}

// The module that PEFT keeps whole for a tensor of the head: "classifier" for
// "classifier.dense.bias".
std::string saved_module(const std::string& tensor) {
  if (tensor.starts_with("classifier.")) return "classifier";
  return tensor.substr(0, tensor.rfind('.'));
}

}  // namespace

std::vector<std::string> adapted_modules(const NamedTensors& tensors) {
  std::vector<std::string> out;
  for (const auto& [name, tensor] : tensors)
    if (name.ends_with(kDown)) out.push_back(name.substr(0, name.size() - kDown.size()));
  return out;
}

PeftLoraConfig peft_config_of(const Json& method, const AdapterContents& contents) {
  PeftLoraConfig out;
  out.r = method.at("rank").get<int64_t>();
  out.lora_alpha = method.at("alpha").get<double>();
  out.lora_dropout = method.at("dropout").get<double>();
  out.use_rslora = method.at("rslora").get<bool>();
  out.use_dora = method.at("name") == "dora";
  // Adapters of earlier releases have no such option.
  out.bias = method.value("bias", "none");
  out.lora_bias = method.value("lora_bias", false);
  std::set<std::string> saved;
  for (const auto& [name, tensor] : contents.tensors) {
    if (name.ends_with(kDown)) {
      const std::string module = name.substr(0, name.size() - kDown.size());
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
  for (const auto& [pattern, alpha] : method.at("alpha_pattern").items())
    out.alpha_pattern.emplace_back(pattern, alpha.get<double>());
  return out;
}

Json method_of(const PeftLoraConfig& config, const std::string& where) {
  const std::string merge = "Merge the adapter into its base with PEFT and use the merged model.";
  if (config.bias == "all")
    throw UserError(where, "bias is 'all'; supported: none, lora_only", merge);
  if (config.use_dora && config.lora_bias)
    throw UserError(where, "has use_dora and lora_bias, which dora does not have", merge);
  Json out = {{"name", config.use_dora ? "dora" : "lora"},
              {"rank", config.r},
              {"alpha", config.lora_alpha},
              {"dropout", config.lora_dropout},
              {"rslora", config.use_rslora},
              {"bias", config.bias}};
  if (config.lora_bias) out["lora_bias"] = true;
  if (!config.exclude_modules.empty()) out["exclude"] = config.exclude_modules;
  if (!config.target_pattern.empty())
    out["targets"] = Json::array({config.target_pattern});
  else if (!config.target_modules.empty())
    out["targets"] = config.target_modules;
  if (config.layers_to_transform) out["layers"] = *config.layers_to_transform;
  for (const auto& [pattern, rank] : config.rank_pattern) out["rank_pattern"][pattern] = rank;
  for (const auto& [pattern, alpha] : config.alpha_pattern) out["alpha_pattern"][pattern] = alpha;
  return out;
}

}  // namespace molt
