// Converts the options of lora, dora and adalora to PEFT's adapter_config.json, and a config of
// LoRA or DoRA back.
#pragma once

#include "adapters/adapter_folder.h"
#include "base/json.h"
#include "files/peft_config.h"

namespace mixtune {

// The modules with a LoRA matrix A in the tensors of an adapter.
std::vector<std::string> adapted_modules(const NamedTensors& tensors);

// The text of adapter_config.json. `method`: the options of `lora`, `dora` or `adalora`.
std::string peft_config_text(const Json& method, const AdapterContents& contents);

// `method`: the options of `lora`, `dora` or `adalora`. Modules are named by their full path, which
// selects exactly those that have tensors: the suffix "output.dense" would also match
// "attention.output.dense".
PeftLoraConfig peft_config_of(const Json& method, const AdapterContents& contents);

// The method and options for a config of PEFT; without target_modules if the config has none.
// UserError for settings that no method has, such as bias: all.
Json method_of(const PeftLoraConfig& config, const std::string& where);

}  // namespace mixtune
