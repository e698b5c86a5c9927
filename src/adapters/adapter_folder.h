// An adapter folder: tensors by name and what is needed to attach them again. LoRA and DoRA are
// written as PEFT writes them, so other tools load them; everything else carries the peft_type
// "MIXTUNE", which they refuse by name instead of loading a part. mixtune.json, which PEFT does not
// read, says method, task, labels and head. Equal weights give byte-equal files: no path and no
// time in them.
#pragma once

#include <filesystem>

#include "tensor/tensor_file.h"

namespace mixtune {

struct AdapterContents {
  std::string method;  // JSON of the method with its "name"; PEFT's config in our words where there
                       // is no mixtune.json
  std::string task;    // JSON of the task with its "name", without its files; empty: not known
  std::vector<std::string> labels;  // names in the order of ids; empty: regression, or not known
  std::string head = "auto";        // auto, pooled, dense
  bool train_pooler = false;
  bool predicts_tokens = false;  // a language model: PEFT's task_type
  // An update stands on a part of a module (the query of GPT-2's c_attn): PEFT has no name for it.
  bool splits_modules = false;
  std::optional<int64_t> outputs;     // of the head, where the tensors have one
  NamedTensors tensors;               // by the names of trainables: no prefix
  std::vector<std::string> warnings;  // of reading: settings of PEFT that are not known here
};

// Replaces the files in `folder`, each atomically, then opens them again and checks names, shapes
// and that every number is finite; BugError otherwise.
void save_adapter(const std::filesystem::path& folder, const AdapterContents& contents);

// UserError: not an adapter folder, another format version, an unsupported kind of adapter,
// malformed files.
AdapterContents load_adapter(const std::filesystem::path& folder);

}  // namespace mixtune
