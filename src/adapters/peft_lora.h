// Plain LoRA between our method options and PEFT's adapter_config.json.
#pragma once

#include "base/json.h"
#include "files/peft_config.h"
#include "tensor/tensor_file.h"

namespace molt {

// `method`: the options of `lora`. Modules are named by their whole path, since that selects
// exactly those that have tensors: the end "output.dense" would also mean "attention.output.dense".
PeftLoraConfig peft_config_of(const Json& method, const NamedTensors& tensors);

// The options of `lora` that attach what the config describes. UserError for DoRA and trained
// biases.
Json method_of(const PeftLoraConfig& config, const std::string& where);

}  // namespace molt
