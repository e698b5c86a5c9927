#include "train/session.h"

#include <algorithm>

#include "train/adapter_load.h"
#include "train/routing_tokens.h"

namespace mixtune {
namespace {

HeadKind head_kind(const std::string& name) {
  MIXTUNE_CHECK(name == "pooled" || name == "dense", "head " + name);
  return name == "dense" ? HeadKind::dense : HeadKind::pooled;
}

std::unique_ptr<Task> open_task(const RunConfig& config, std::vector<std::string> labels) {
  if (config.task.name.empty()) return nullptr;
  const TaskEntry& entry = tasks().get(config.task.name, "task.name", "task");
  return entry.open({.config = *config.task.config, .labels = std::move(labels)});
}

EncodedSet checked(const Session& session, const DataSet& set, EncodedExamples encoded) {
  EncodedSet out{&set, std::move(encoded.examples), std::move(encoded.notes)};
  for (const EncodedExample& example : out.examples)
    check_ids(example.ids, session.model->config(),
              set.source + " example " + std::to_string(example.id));
  return out;
}

// Reports clearly that encoders do not predict next tokens.
void check_goal(const RunConfig& config, const ModelConfig& model, Goal goal) {
  if (goal == Goal::next_token && !model.decoder)
    throw UserError(
        "task " + config.task.name,
        "needs a decoder; " + config.model.path + " is an encoder (" + model.model_type + ")",
        "Choose a decoder (gpt2, llama, ...), or a classification task.");
}

void check_generates(const RunConfig& config, const ModelConfig& model) {
  if (model.decoder) return;
  throw UserError(config.model.path,
                  "is an encoder (" + model.model_type + "); it cannot generate text",
                  "Choose a decoder (gpt2, llama, ...).");
}

std::unique_ptr<Tokenizer> open_tokenizer(const RunConfig& config) {
  return std::make_unique<Tokenizer>(
      Tokenizer::load(config.model.tokenizer.value_or(config.model.path)));
}

// Whether the last layer may skip rows. It may not if tokens are routed to experts, whose load and
// losses count every row.
bool reads_some_rows(const std::vector<AdapterSpec>& specs) {
  return std::none_of(specs.begin(), specs.end(),
                      [](const AdapterSpec& spec) { return spec.routing.has_value(); });
}

// UserError if all examples of a set were left out.
void check_examples(const Session& session, const EncodedSet& set) {
  if (!set.examples.empty()) return;
  if (set.notes.empty()) throw UserError(set.data->source, "has no examples", "Check the file.");
  throw UserError(set.data->source, join_names(set.notes, "; "), advice_for_empty_set(session));
}

// UserError if neither the model nor the adapter has the head, since a new head predicts at random.
void check_head(const Session& session) {
  const std::optional<std::string>& adapter = session.config.model.adapter;
  const auto& unplaced = session.adapter_report.newly_initialized;
  for (const std::string& name : session.load_report.newly_initialized) {
    if (adapter && std::find(unplaced.begin(), unplaced.end(), name) == unplaced.end()) continue;
    throw UserError(adapter.value_or(session.config.model.path),
                    "has no " + name + " for " + std::to_string(session.model->labels()) +
                        " outputs" +
                        (adapter ? ", nor does the model " + session.config.model.path : "") +
                        "; predictions would come from a randomly initialized head",
                    "Use the adapter that was trained with it, or a model with this head.");
  }
}

void lower_length(Session& session, TrainingCallback& progress) {
  const int64_t most = session.model->max_length();
  if (session.max_length <= most) return;
  progress.on_warning("task.max_length " + std::to_string(session.max_length) + " is lowered to " +
                      std::to_string(most) + ", the maximum length of the model");
  session.max_length = most;
}

void report_loading(const Session& session, const SessionOptions& options,
                    TrainingCallback& progress) {
  if (!session.load_report.missing.empty())
    progress.on_warning("not in the model's files, so newly initialized: " +
                        join_names(session.load_report.missing));
  const AdapterReport& adapter = session.adapter_report;
  if (session.config.model.adapter)
    progress.on_message("adapter " + *session.config.model.adapter + ": " +
                        std::to_string(adapter.loaded) + " tensors loaded");
  if (!adapter.newly_initialized.empty() && options.adapter_use == AdapterUse::start &&
      session.config.model.adapter)
    progress.on_message("not taken from the adapter (not in it, or another number of labels): " +
                        join_names(adapter.newly_initialized));
  for (const std::string& line : adapter.differences) progress.on_warning(line);
  for (const std::string& line : adapter.warnings) progress.on_warning(line);
  for (const std::string& line : session.attachment->warnings) progress.on_warning(line);
}

}  // namespace

at::Device choose_device(const std::string& name) {
  const auto cuda_count = [] { return at::hasCUDA() ? static_cast<int64_t>(at::getNumGPUs()) : 0; };
  if (name == "cpu") return at::kCPU;
  if (name == "auto") return cuda_count() > 0 ? at::Device(at::kCUDA, 0) : at::Device(at::kCPU);
  const int64_t index = name.size() > 5 ? std::stoll(name.substr(5)) : 0;
  if (index >= cuda_count())
    throw UserError("device",
                    "is " + name + "; this machine has " + std::to_string(cuda_count()) +
                        " CUDA devices that this build of libtorch can use",
                    "Set device to cpu or auto.");
  return {at::kCUDA, static_cast<at::DeviceIndex>(index)};
}

std::string Session::label_name(int64_t label) const {
  if (task && label >= 0) {
    const auto& names = task->labels();
    if (label < static_cast<int64_t>(names.size())) return names[static_cast<size_t>(label)];
  }
  return std::to_string(label);
}

void check_ids(std::span<const int32_t> ids, const ModelConfig& model, const std::string& where) {
  for (const int32_t id : ids)
    if (id < 0 || id >= model.vocab_size)
      throw UserError(where,
                      "the tokenizer gives id " + std::to_string(id) +
                          "; the model has embeddings for 0 to " +
                          std::to_string(model.vocab_size - 1),
                      "Use the tokenizer files that belong to the model.");
}

EncodedExamples encode_evaluation(const Session& session, const DataSet& set) {
  EncodedExamples out =
      session.task->encode_evaluation(*session.tokenizer, set, session.max_length);
  exclude_routing_tokens(out, session.routing_tokens);
  return out;
}

std::string advice_for_empty_set(const Session& session) {
  return session.routing_tokens > 0
             ? "Use longer texts, lower prompt_tokens of the method, or raise task.max_length."
             : "Raise task.max_length, or change task.too_long.";
}

EncodedSet encode_for(const Session& session, const DataSet& set) {
  EncodedSet out = checked(session, set, encode_evaluation(session, set));
  if (!set.examples.empty()) check_examples(session, out);
  return out;
}

SequenceRefs sequences_of(const std::vector<EncodedExample>& examples,
                          const std::vector<int64_t>& indices) {
  SequenceRefs out;
  for (const int64_t i : indices) out.push_back(&examples[static_cast<size_t>(i)]);
  return out;
}

PackedBatch pack_examples(const Session& session, const std::vector<EncodedExample>& examples,
                          const std::vector<int64_t>& indices) {
  // A model with one token type ignores type ids, even if the tokenizer produces two.
  const bool typed = session.model->config().type_vocab_size > 1;
  std::vector<SequenceView> views;
  views.reserve(indices.size());
  for (const int64_t i : indices) {
    const EncodedExample& e = examples[static_cast<size_t>(i)];
    views.push_back({e.ids.data(), typed && !e.type_ids.empty() ? e.type_ids.data() : nullptr,
                     static_cast<int64_t>(e.ids.size()), e.id, e.prompt, e.example_group});
  }
  return pack(views, session.device);
}

std::unique_ptr<Session> open_session(const RunConfig& config, const SessionOptions& options,
                                      TrainingCallback& progress) {
  if (config.model.path.empty())
    throw UserError("model.path", "is not set",
                    "Set model.path=DIR to a Hugging Face model folder.");
  auto session = std::make_unique<Session>();
  session->config = deep_copy(config);
  if (config.threads) at::set_num_threads(static_cast<int>(*config.threads));
  session->device = choose_device(config.device);

  std::optional<AdapterContents> adapter;
  std::string adapter_path;
  MethodMatch match;
  if (config.model.adapter) {
    adapter_path = adapter_folder(*config.model.adapter).string();
    adapter = load_adapter(adapter_path);
    match = match_method(*adapter, config.method, options.adapter_use, adapter_path);
  }

  session->task = open_task(session->config, options.labels);
  LoadOptions load;
  load.seed = static_cast<RandomKey>(config.train.seed);
  load.device = session->device;
  load.labels = options.outputs;
  load.dropout = config.model.dropout;
  load.from_scratch = config.model.from_scratch;
  const ModelConfig described = read_model_config(config.model.path);
  const Goal goal = session->task ? session->task->goal() : Goal::classify;
  if (session->task) {
    check_goal(config, described, goal);
    load.labels.reset();
    if (goal == Goal::next_token)
      load.head = HeadKind::language;
    else
      load.labels = session->task->outputs();
    session->tokenizer = open_tokenizer(config);
    session->max_length = session->task->options().max_length;
  }
  if (options.generates) {
    check_generates(config, described);
    load.labels.reset();
    load.head = HeadKind::language;
    session->tokenizer = open_tokenizer(config);
  }
  if (config.model.head != "auto" && load.labels && !described.decoder)
    load.head = head_kind(config.model.head);
  LoadedModel loaded = load_model(config.model.path, load);
  session->model = std::move(loaded.model);
  session->load_report = std::move(loaded.report);

  const std::vector<AdapterSpec> specs =
      config.method.name.empty()
          ? std::vector<AdapterSpec>()
          : specs_of(session->config.method, {session->model->config().layers,
                                              session->model->config().decoder.has_value()});
  session->routing_tokens = routing_tokens(specs);
  session->attachment = attach(specs, session->model->sites(),
                               {.seed = static_cast<RandomKey>(config.train.seed),
                                .train_pooler = config.model.train_pooler});
  if (session->task)
    session->objective = make_objective({.goal = goal, .reads_some_rows = reads_some_rows(specs)});
  if (adapter) {
    session->adapter_report =
        place_adapter(*adapter, *session->attachment, options.adapter_use, match, adapter_path);
    session->adapter_report.differences = match.differences;
    session->adapter_report.warnings = adapter->warnings;
  }
  report_loading(*session, options, progress);
  if (!session->task) return session;
  if (options.adapter_use == AdapterUse::restore) check_head(*session);

  lower_length(*session, progress);
  if (options.train_data) {
    const DataSet& set = session->task->train();
    EncodedExamples encoded =
        session->task->encode_training(*session->tokenizer, set, session->max_length);
    exclude_routing_tokens(encoded, session->routing_tokens);
    session->train = checked(*session, set, std::move(encoded));
    if (!set.examples.empty()) check_examples(*session, session->train);
  }
  if (options.evaluation_data)
    for (const DataSet& set : session->task->evaluation_sets())
      session->evaluation.push_back(encode_for(*session, set));
  return session;
}

std::unique_ptr<Session> open_for_training(const RunConfig& config, TrainingCallback& progress) {
  if (config.task.name.empty())
    throw UserError("task", "is not set",
                    "Use a recipe of a task, or set task.name and task.data.");
  if (config.method.name.empty())
    throw UserError("method", "is not set", "Use a recipe of a method, or set method.name.");
  auto session =
      open_session(config, {.evaluation_data = config.train.evaluate_every != "never"}, progress);
  check_examples(*session, session->train);
  return session;
}

}  // namespace mixtune
