#include "train/predictor.h"

#include "base/config_json.h"
#include "tasks/language_task.h"
#include "train/adapter_load.h"

namespace mixtune {
namespace fs = std::filesystem;
namespace {

// `data` is a folder, or a file to evaluate on.
void use_data(const std::string& data, RunConfig& config) {
  std::error_code error;
  ConfigLayers layers;
  layers.add_text(to_yaml(config), "config");
  const bool is_file = fs::is_regular_file(data, error);
  const Json task = to_json(*config.task.config);
  if (task.contains("dev_share") && is_file) layers.add_override("task.dev_share=null");
  layers.add_override("task.limit_dev=null");
  layers.add_override("task.dev=" + (is_file ? Json(data).dump() : std::string("null")));
  if (!is_file) layers.add_override("task.data=" + Json(data).dump());
  layers.apply(config);
}

void set_by_json(RunConfig& config, const std::string& key, const std::string& json) {
  ConfigLayers layers;
  layers.add_text(to_yaml(config), "config");
  layers.add_text(Json({{key, Json::parse(json)}}).dump(), "adapter");
  layers.apply(config);
}

std::string task_name(const AdapterContents& adapter) {
  return adapter.task.empty() ? "" : Json::parse(adapter.task).value("name", "");
}

// Sets method, head and task to those of the adapter; a task of the config (from a run) is kept.
void follow_adapter(const AdapterContents& adapter, const PredictorOptions& options,
                    RunConfig& config) {
  set_by_json(config, "method", adapter.method);
  config.model.head = adapter.head;
  config.model.train_pooler = adapter.train_pooler;
  if (!config.task.name.empty() || adapter.task.empty()) return;
  if (!options.task || *options.task == task_name(adapter))
    set_by_json(config, "task", adapter.task);
}

// The token with which a language task ends each training text. If the tokenizer does not have it,
// reports a warning and returns nullopt.
std::optional<int32_t> end_of(const Choice& task, const Tokenizer& tokenizer,
                              TrainingCallback& progress) {
  const auto* config = dynamic_cast<const LanguageTaskConfig*>(task.config.get());
  if (task.name.empty() || !config) return std::nullopt;
  try {
    const auto opened = tasks().get(task.name, "task", "task").open({.config = *config});
    if (const auto id = opened->end_token(tokenizer)) return id;
  } catch (const UserError& error) {
    progress.on_warning(std::string(error.what()));
    return std::nullopt;
  }
  return config->end ? tokenizer.id_of(*config->end) : std::nullopt;
}

// If the model has no pooler, it was initialized randomly in training. A run stores the seed, an
// adapter without its run does not.
void check_pooler(const Session& session, const std::string& adapter) {
  const NamedTensors trained = session.attachment->state();
  for (const std::string& name : session.load_report.missing)
    if (!find_tensor(trained, name))
      throw UserError(adapter,
                      "depends on a randomly initialized " + name + "; " +
                          session.config.model.path + " has none",
                      "Use the run folder, which stores the seed of the initialization.");
}

}  // namespace

bool is_run_folder(const fs::path& folder) {
  std::error_code error;
  return fs::is_regular_file(folder / "config.yaml", error) &&
         fs::is_regular_file(folder / "events.jsonl", error);
}

std::unique_ptr<Session> open_predictor(const PredictorOptions& options,
                                        TrainingCallback& progress) {
  RunConfig config;
  std::optional<fs::path> folder = options.adapter;
  if (is_run_folder(options.source)) {
    config = read_run_config(options.source);
    config.model.adapter.reset();
    if (!folder) folder = options.source / "adapter";
    std::error_code error;
    if (!fs::exists(*folder, error))
      throw UserError(options.source.string(), "has no adapter yet, since the run is not finished",
                      "Finish it with 'mixtune resume " + options.source.string() + "'.");
  } else {
    config.model.path = options.source.string();
  }
  if (options.task && *options.task != config.task.name)
    config.task = {*options.task,
                   task_choices().make(tasks().get(*options.task, "task", "task").name)};

  SessionOptions session{.train_data = false,
                         .evaluation_data = options.evaluation_data,
                         .adapter_use = AdapterUse::restore,
                         .generates = options.generates};
  if (folder) {
    config.model.adapter = adapter_folder(*folder).string();
    const AdapterContents adapter = load_adapter(*config.model.adapter);
    follow_adapter(adapter, options, config);
    session.outputs = adapter.outputs;
    if (config.task.name == task_name(adapter)) session.labels = adapter.labels;
  }
  if (!options.overrides.empty()) {
    ConfigLayers layers;
    layers.add_text(to_yaml(config), "config");
    for (const std::string& assignment : options.overrides) layers.add_override(assignment);
    layers.apply(config);
  }
  const Choice supervised = config.task;
  if (!options.needs_task || options.generates) {
    config.task = {};
  } else if (config.task.name.empty()) {
    throw UserError(options.source.string(), "does not name a task",
                    "Set one with --task; 'mixtune tasks' lists them.");
  } else if (options.data) {
    use_data(*options.data, config);
  }
  auto out = open_session(config, session, progress);
  if (options.generates) out->supervised_end = end_of(supervised, *out->tokenizer, progress);
  if (out->task && folder && !is_run_folder(options.source)) check_pooler(*out, folder->string());
  return out;
}

}  // namespace mixtune
