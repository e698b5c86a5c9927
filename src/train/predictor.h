// Opens a run, or a model with or without an adapter, for prediction: a Session without training
// data.
#pragma once

#include "train/session.h"

namespace mixtune {

struct PredictorOptions {
  std::filesystem::path source = {};                  // a run folder, or a model folder
  std::optional<std::filesystem::path> adapter = {};  // on top of a model; a run has its own
  std::optional<std::string> task = {};               // nullopt: that of the run or of the adapter
  std::optional<std::string> data = {};               // replaces the task's data
  std::vector<std::string> overrides = {};            // key=value on the config, applied last
  bool evaluation_data = false;                       // fill Session::evaluation
  bool needs_task = true;  // false for `mixtune forward`, which takes ids
  bool generates = false;  // no task, but a language head and the tokenizer
};

// The head and its label count come from the adapter if it has them, else from the task, else from
// the model's config. UserError if a task is required and none is named.
std::unique_ptr<Session> open_predictor(const PredictorOptions& options,
                                        TrainingCallback& progress);

// A run folder has config.yaml and events.jsonl.
bool is_run_folder(const std::filesystem::path& folder);

}  // namespace mixtune
