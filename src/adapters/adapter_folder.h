// An adapter folder: named tensors and the settings that attach them to a model. LoRA, DoRA and
// AdaLoRA have the format of PEFT, so that other tools load them; other methods have the peft_type
// "MIXTUNE", which those tools reject. mixtune.json, which PEFT ignores, has method, task, labels
// and head. Equal weights give byte-equal files, because these contain no paths and no times.
#pragma once

#include <filesystem>

#include "tensor/tensor_file.h"

namespace mixtune {

struct AdapterContents {
  std::string method;  // JSON of the method with its "name"; without mixtune.json it is derived
                       // from PEFT's config
  std::string task;    // JSON of the task with its "name", without its files; empty: unknown
  std::vector<std::string> labels;  // names in the order of ids; empty: regression, or unknown
  std::string head = "auto";        // auto, pooled, dense
  bool train_pooler = false;
  bool predicts_tokens = false;  // a language model: PEFT's task_type
  // An update adapts a part of a module (the query of GPT-2's c_attn), which PEFT cannot express.
  bool splits_modules = false;
  std::optional<int64_t> outputs;     // of the head, if the tensors include one
  NamedTensors tensors;               // by the names of the trainables, without PEFT's prefix
  std::vector<std::string> warnings;  // of loading: unsupported settings of PEFT
};

// Replaces the files in `folder`, each atomically, then reads the tensors back and checks names,
// shapes and that every number is finite; BugError otherwise.
void save_adapter(const std::filesystem::path& folder, const AdapterContents& contents);

// UserError for a folder without an adapter, another format version, an unsupported adapter type or
// malformed files.
AdapterContents load_adapter(const std::filesystem::path& folder);

}  // namespace mixtune
