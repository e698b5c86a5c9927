// A model as the Hugging Face folder that transformers opens: config.json and model.safetensors,
// with the names and layouts of its files. The tokenizer's files are the caller's.
#pragma once

#include "models/model.h"

namespace mixtune {

struct SaveOptions {
  at::ScalarType dtype = at::kFloat;  // of every weight in the file
  // Names of a classifier's outputs; empty: those of its config, or LABEL_0, LABEL_1, ...
  std::vector<std::string> labels = {};
  // Ids of the tokens that begin and end a text, for a config.json that names none: transformers
  // would take those of the type's first model.
  std::optional<int32_t> begin_token = {}, end_token = {};
};

// Writes the weights as they stand in the model, without any adapter (merge_adapters folds those
// in); config.json is that which was read, with the model's own head, labels and type of weights
// (one output is a regression).
// The files appear in an order that never leaves a config.json without its weights. UserError where
// transformers has no class for the head, or a weight does not fit into the type.
void save_model(Model& model, const std::filesystem::path& folder, const SaveOptions& options);

}  // namespace mixtune
