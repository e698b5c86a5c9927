// LoRA, DoRA and AdaLoRA between our method options and PEFT's adapter_config.json.
#pragma once

#include "adapters/adapter_folder.h"
#include "base/json.h"
#include "files/peft_config.h"

namespace mixtune {

// The modules that have an A in an adapter's tensors.
std::vector<std::string> adapted_modules(const NamedTensors& tensors);

// The config of an adapter for its file. `method`: the options of `lora`, `dora` or `adalora`.
std::string peft_config_text(const Json& method, const AdapterContents& contents);

// `method`: the options of `lora` or `dora`. Modules are named by their whole path, since that
// selects exactly those that have tensors: the end "output.dense" would also mean
// "attention.output.dense".
PeftLoraConfig peft_config_of(const Json& method, const AdapterContents& contents);

// The method and its options that attach what the config describes; no targets where the config
// has none. UserError where all biases are trained.
Json method_of(const PeftLoraConfig& config, const std::string& where);

}  // namespace mixtune
