// mixtune export: writes the model of a run for transformers, with its adapter merged into the
// weights. The folder is read back before it gets its final name, and the command prints the
// largest difference between the outputs of the exported model and those of the run.
#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "adapters/adapter_folder.h"
#include "base/file.h"
#include "cli/command.h"
#include "cli/console.h"
#include "cli/console_progress.h"
#include "cli/end_ids.h"
#include "cli/random_tokens.h"
#include "models/save.h"
#include "moe/merge.h"
#include "train/adapter_load.h"
#include "train/predictor.h"

namespace mixtune {
namespace {

namespace fs = std::filesystem;

struct ExportArguments {
  std::string source, output, to, dtype = "f32";
  std::optional<std::string> adapter;
  bool overwrite = false;
};

constexpr const char* kTokenizerFiles[] = {"tokenizer.json",
                                           "tokenizer_config.json",
                                           "special_tokens_map.json",
                                           "added_tokens.json",
                                           "vocab.json",
                                           "merges.txt",
                                           "vocab.txt",
                                           "tokenizer.model",
                                           "spiece.model",
                                           "sentencepiece.bpe.model",
                                           "chat_template.jinja"};

void check_format(const std::string& to) {
  if (to == "transformers") return;
  static const std::vector<std::string> planned = {"peft", "gguf", "moe-peft"};
  const bool is_planned = std::find(planned.begin(), planned.end(), to) != planned.end();
  throw UserError("--to",
                  "is '" + to + "', " +
                      (is_planned ? "which is not implemented yet" : "which is an unknown format") +
                      "; expected transformers",
                  to == "peft"
                      ? "For lora, dora and adalora, the run's adapter/ already has PEFT's format."
                      : "Use --to transformers.");
}

at::ScalarType scalar_type(const std::string& dtype) {
  return dtype == "bf16" ? at::kBFloat16 : dtype == "f16" ? at::kHalf : at::kFloat;
}

bool is_there(const fs::path& path) {
  std::error_code error;
  return fs::exists(path, error);
}

void check_output(const ExportArguments& arguments) {
  std::error_code error;
  const fs::path output = arguments.output;
  if (!is_there(output) || (fs::is_directory(output, error) && fs::is_empty(output, error))) return;
  if (fs::equivalent(output, arguments.source, error))
    throw UserError(arguments.output, "is the source of the export", "Name another folder.");
  if (!arguments.overwrite)
    throw UserError(arguments.output, "exists already", "Name another folder, or add --overwrite.");
  if (!is_there(output / "config.json") || !is_there(output / "model.safetensors"))
    throw UserError(arguments.output, "is not a model folder, so it is not overwritten",
                    "Name another folder, or remove this one.");
}

// The adapter of a run or of --adapter; empty for a model without one.
std::optional<AdapterContents> adapter_of(const ExportArguments& arguments) {
  if (arguments.adapter) return load_adapter(adapter_folder(*arguments.adapter));
  if (!is_run_folder(arguments.source)) return std::nullopt;
  const fs::path folder = fs::path(arguments.source) / "adapter";
  return is_there(folder) ? std::optional(load_adapter(folder)) : std::nullopt;
}

// Whether the adapter was trained on a language head: a decoder without a classifier.
bool is_of_language(const std::optional<AdapterContents>& adapter, const ExportArguments& source) {
  if (!adapter || adapter->outputs) return false;
  const fs::path model =
      is_run_folder(source.source) ? read_run_config(source.source).model.path : source.source;
  return read_model_config(model).decoder.has_value();
}

int64_t unbiased(const Sites& sites) {
  return std::count_if(sites.groups.begin(), sites.groups.end(),
                       [](const LinearGroup* group) { return !group->bias.defined(); });
}

bool is_adapted(const Sites& sites) {
  return first_unmergeable(sites) ||
         std::any_of(sites.groups.begin(), sites.groups.end(),
                     [](const LinearGroup* group) { return group->adapter != nullptr; });
}

// Merges the adapter into the weights. UserError if it cannot be merged.
void merge(Session& session, const PackedBatch& batch, const Tensor& before) {
  Sites& sites = session.model->sites();
  const std::string method = method_title(session.config.method);
  if (const auto site = first_unmergeable(sites))
    throw UserError(
        "method " + method,
        "cannot be merged into the weights: at " + *site +
            " its output depends on the input, or it is not a linear layer",
        "Keep the adapter in its own folder; mixtune generate, predict and eval load it.");
  const int64_t without = unbiased(sites);
  merge_adapters(sites);
  if (unbiased(sites) != without)
    throw UserError("method " + method,
                    "adds biases to linear layers that have none in " +
                        session.model->config().model_type + " models",
                    "Train with method.lora_bias=false, or keep the adapter in its own folder.");
  fmt::print(
      "{} is merged into the weights: outputs for {} random tokens change by at most {:.2g}\n",
      method, batch.ids.numel(),
      largest_difference(answers(*session.model, batch, nullptr), before));
}

void copy_kept_files(const ModelSettings& model, const fs::path& output) {
  const fs::path tokenizer = model.tokenizer.value_or(model.path);
  std::error_code error;
  if (fs::is_regular_file(tokenizer, error))
    write_file_atomically(output / tokenizer.filename(), read_file(tokenizer));
  for (const char* name : kTokenizerFiles)
    if (is_there(tokenizer / name))
      write_file_atomically(output / name, read_file(tokenizer / name));
  const char* generation = "generation_config.json";
  const fs::path settings = fs::path(model.path) / generation;
  if (is_there(settings)) write_file_atomically(output / generation, read_file(settings));
}

int64_t bytes_of(const fs::path& file) {
  return static_cast<int64_t>(fs::file_size(file));
}

int run(const ExportArguments& arguments) {
  check_format(arguments.to);
  check_output(arguments);
  const std::optional<AdapterContents> adapter = adapter_of(arguments);
  ConsoleProgress progress(stderr);
  PredictorOptions options{.source = arguments.source, .needs_task = false};
  options.generates = is_of_language(adapter, arguments);
  if (arguments.adapter) options.adapter = *arguments.adapter;
  const auto session = open_predictor(options, progress);
  Model& model = *session->model;
  const PackedBatch batch = random_tokens(model, session->device);
  const Tensor before = answers(model, batch, session->attachment.get());  // [T or S, C]
  if (is_adapted(model.sites())) merge(*session, batch, before);

  // The folder has a temporary name until it is complete and checked.
  fs::path output = fs::path(arguments.output).lexically_normal();
  if (output.filename().empty()) output = output.parent_path();
  const fs::path unfinished = output.string() + ".unfinished";
  std::error_code error;
  fs::remove_all(unfinished, error);
  SaveOptions save{.dtype = scalar_type(arguments.dtype)};
  if (adapter) save.labels = adapter->labels;
  if (session->tokenizer) {
    save.end_token = session->tokenizer->id_of(TokenRole::kEos);
    save.begin_token = session->tokenizer->id_of(TokenRole::kBos);
    if (!save.begin_token) save.begin_token = save.end_token;
  }
  save_model(model, unfinished, save);
  copy_kept_files(session->config.model, unfinished);
  if (session->supervised_end && !end_ids_of(unfinished).contains(*session->supervised_end))
    add_end_id(unfinished, *session->supervised_end);
  LoadOptions load;
  load.device = session->device;
  const LoadedModel back = load_model(unfinished, load);
  const double difference = largest_difference(answers(*back.model, batch, nullptr), before);
  if (fs::exists(output, error)) fs::remove_all(output, error);
  fs::rename(unfinished, output, error);
  if (error)
    throw UserError(output.string(), "cannot be created (" + error.message() + ")",
                    "The complete model is in " + unfinished.string() + "; rename that folder.");
  fmt::print("{}: a {} model for transformers, {} in {}\n", output.string(),
             model.config().model_type, bytes_text(bytes_of(output / "model.safetensors")),
             arguments.dtype);
  fmt::print(
      "read back: outputs for {} random tokens differ by at most {:.2g} (largest output {:.3g})\n",
      batch.ids.numel(), difference, before.abs().max().item<double>());
  return kDone;
}

CommandRun declare_export(CLI::App& app) {
  auto arguments = std::make_shared<ExportArguments>();
  app.add_option("source", arguments->source, "Run folder or model folder")->required();
  app.add_option("--adapter", arguments->adapter, "Adapter folder to attach to a model");
  app.add_option("--to", arguments->to, "Format of the export: transformers")->required();
  app.add_option("--output", arguments->output, "Folder to write")->required();
  app.add_option("--dtype", arguments->dtype, "Data type of the weights: f32, bf16 or f16")
      ->check(CLI::IsMember({"f32", "bf16", "f16"}))
      ->capture_default_str();
  app.add_flag("--overwrite", arguments->overwrite, "Replace an existing model folder");
  return [arguments] { return run(*arguments); };
}

}  // namespace

void register_export(Registry<CommandEntry>& registry) {
  registry.add(
      {"export",
       "Export a model for other programs, with its adapter merged",
       {"mixtune export runs/tiny-gpt2-0 --to transformers --output models/tiny --dtype bf16"},
       declare_export});
}

}  // namespace mixtune
