// PEFT's adapter_config.json for LoRA. A field that would change the result and is not supported is
// rejected by name, never ignored.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mixtune {

struct PeftLoraConfig {
  int64_t r = 8;
  double lora_alpha = 8;
  double lora_dropout = 0;
  bool use_rslora = false;
  bool use_dora = false;
  bool fan_in_fan_out = false;
  std::string bias = "none";  // none, all or lora_only
  bool lora_bias = false;     // B has a bias

  // Either names (a module matches if its path is one or ends in ".name"), or a pattern that must
  // match the whole path, or "all-linear" as the pattern. Both empty means
  // null, the defaults of the model's type.
  std::vector<std::string> target_modules;
  std::string target_pattern;

  // Modules that are excluded from the above: names, or one pattern for the whole path. This is
  // only read; files that we write list their modules one by one.
  std::vector<std::string> exclude_modules;

  std::vector<std::string> modules_to_save;
  std::optional<std::vector<int64_t>> layers_to_transform;
  std::vector<std::string> layers_pattern;

  // Regular expressions in file order, which is significant: the first match applies.
  std::vector<std::pair<std::string, int64_t>> rank_pattern;
  std::vector<std::pair<std::string, double>> alpha_pattern;

  std::string task_type;                // "SEQ_CLS", "CAUSAL_LM", ...; empty for null
  std::string base_model_name_or_path;  // empty for null
  std::string revision;                 // empty for null
  std::string peft_version;             // empty: the key is omitted

  // Keys of the file that are set and unknown to mixtune, for a warning. Not written.
  std::vector<std::string> unknown_keys;
};

PeftLoraConfig read_peft_config(const std::filesystem::path& path);
PeftLoraConfig parse_peft_config(std::string_view json, const std::string& where);

// The small set of keys that every version of PEFT accepts, sorted, indented by two spaces, with a
// final newline.
std::string print_peft_config(const PeftLoraConfig& config);
void write_peft_config(const std::filesystem::path& path, const PeftLoraConfig& config);

}  // namespace mixtune
