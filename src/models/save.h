// Saves a model as a Hugging Face folder for transformers: config.json and model.safetensors, with
// the names and layouts of transformers. The caller saves the tokenizer's files.
#pragma once

#include "models/model.h"

namespace mixtune {

struct SaveOptions {
  at::ScalarType dtype = at::kFloat;  // type of every weight in the file
  // Names of a classifier's outputs; empty: those of the config, or LABEL_0, LABEL_1, ...
  std::vector<std::string> labels = {};
  // bos_token_id and eos_token_id for a config.json without them, since transformers would use
  // those of the type's first model.
  std::optional<int32_t> begin_token = {}, end_token = {};
};

// Saves the weights of the model without any adapter (merge_adapters merges adapters into them).
// config.json is the one that was loaded, with the head, labels and type of the weights updated; a
// single output means regression. config.json is written last, so it never lacks its weights.
// UserError if transformers has no class for the head, or a weight is not finite in `dtype`.
void save_model(Model& model, const std::filesystem::path& folder, const SaveOptions& options);

}  // namespace mixtune
