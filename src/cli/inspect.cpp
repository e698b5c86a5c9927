// mixtune inspect: describes the contents of a path: a run, an adapter, a model or a file of
// tensors.
#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "adapters/adapter_folder.h"
#include "base/file.h"
#include "base/json.h"
#include "cli/command.h"
#include "cli/console.h"
#include "cli/result_table.h"
#include "cli/routing_chart.h"
#include "files/tensor_files.h"
#include "methods/method.h"
#include "models/model_config.h"
#include "tensor/tensor_file.h"
#include "train/predictor.h"
#include "train/run_folder.h"

namespace mixtune {
namespace {

namespace fs = std::filesystem;

struct InspectArguments {
  std::string path;
  bool only_routing = false, all_tensors = false;
};

struct TensorLine {
  std::string name, type;
  std::vector<int64_t> shape;
  int64_t elements, bytes;
};

std::vector<TensorLine> lines_of(const std::vector<SafetensorsFile>& files) {
  std::vector<TensorLine> out;
  for (const SafetensorsFile& file : files)
    for (const TensorInfo& info : file.tensors()) {
      const auto bytes = static_cast<int64_t>(info.end - info.begin);
      out.push_back({info.name, std::string(dtype_name(info.dtype)), info.shape,
                     bytes / static_cast<int64_t>(dtype_bytes(info.dtype)), bytes});
    }
  return out;
}

std::vector<TensorLine> lines_of(const NamedTensors& tensors) {
  std::vector<TensorLine> out;
  for (const auto& [name, tensor] : tensors)
    out.push_back({name, std::string(dtype_name(file_type(name, tensor.scalar_type()))),
                   tensor.sizes().vec(), tensor.numel(), static_cast<int64_t>(tensor.nbytes())});
  return out;
}

std::string shape_of(const TensorLine& line) {
  std::string out = "[";
  for (const int64_t size : line.shape) out += (out.size() > 1 ? ", " : "") + std::to_string(size);
  return out + "]";
}

// Prints the counts by type and, if `all` is set or there are few, every tensor.
void print_tensors(const std::vector<TensorLine>& lines, bool all) {
  constexpr size_t kFew = 60;
  ConsoleTable table({"tensor", "type", "shape", "elements"});
  table.align_left(1);
  table.align_left(2);
  std::map<std::string, int64_t> by_type;
  int64_t total = 0, bytes = 0;
  for (const TensorLine& line : lines) {
    table.add({line.name, line.type, shape_of(line), count_text(line.elements)});
    by_type[line.type] += line.elements;
    total += line.elements;
    bytes += line.bytes;
  }
  if (all || table.size() <= kFew) fmt::print("{}\n", table.text());
  std::string types;
  for (const auto& [type, count] : by_type)
    types += fmt::format("{}{} {}", types.empty() ? "" : ", ", count_text(count), type);
  fmt::print("{} tensors, {} elements ({}), {}{}\n", count_text(static_cast<int64_t>(table.size())),
             count_text(total), types, bytes_text(bytes),
             all || table.size() <= kFew ? "" : "; --tensors lists them");
}

void print_file(const fs::path& path, bool all) {
  if (path.extension() == ".bin") {
    const NamedTensors tensors = read_pickled_tensors(path);
    fmt::print("{}: a pickled dictionary of tensors\n\n", path.string());
    print_tensors(lines_of(tensors), all);
    return;
  }
  const SafetensorsFile file = SafetensorsFile::open(path);
  fmt::print("{}: a safetensors file\n", path.string());
  for (const auto& [key, value] : file.metadata()) fmt::print("  {}: {}\n", key, value);
  fmt::print("\n");
  print_tensors(lines_of({file}), all);
}

// Prints a line for each option; options of an option are indented.
void print_options(const Json& options, const std::string& indent) {
  for (const auto& [key, value] : options.items()) {
    if (key == "name") continue;
    const bool is_list = value.is_array() && !value.empty() && value[0].is_object();
    std::string text;
    if (value.is_object())
      text = value.empty() ? std::string("{}") : value.value("name", "");
    else if (!is_list)
      text = value.is_string() ? value.get<std::string>() : value.dump();
    fmt::print("{}{}{}{}\n", indent, key, text.empty() ? "" : " ", text);
    if (value.is_object() || is_list) print_options(value, indent + "  ");
  }
}

void print_choice(const std::string& what, const std::string& json) {
  const Json choice = Json::parse(json);
  fmt::print("  {} {}\n", what, choice.value("name", ""));
  print_options(choice, "    ");
}

void print_adapter(const fs::path& path, bool all) {
  const AdapterContents contents = load_adapter(path);
  fmt::print("{}: an adapter\n", path.string());
  print_choice("method", contents.method);
  if (!contents.task.empty()) print_choice("task", contents.task);
  if (!contents.labels.empty()) fmt::print("  labels {}\n", join_names(contents.labels));
  fmt::print("\n");
  print_tensors(lines_of(open_adapter(path).files()), all);
}

void print_model(const fs::path& path, bool all) {
  const ModelConfig config = read_model_config(path);
  const std::vector<TensorLine> lines = is_pickled_model(path) ? lines_of(read_model_tensors(path))
                                                               : lines_of(open_model(path).files());
  fmt::print("{}: a model of type {}\n", path.string(), config.model_type);
  fmt::print(
      "  {} layers, hidden size {}, {} attention heads, feed-forward size {}, vocabulary size {}, "
      "{} positions\n",
      config.layers, config.hidden_size, config.heads, config.intermediate_size,
      count_text(config.vocab_size), config.max_positions);
  if (!config.labels.empty()) fmt::print("  labels {}\n", join_names(config.labels));
  fmt::print("\n");
  print_tensors(lines, all);
}

bool routes(const std::string& method) {
  return methods().get(method, "method.name", "method").as_mixture != nullptr;
}

void print_routing(const fs::path& run, bool is_required) {
  const auto counts = read_routing(run);
  if (counts) {
    fmt::print("\n{}", routing_chart(*counts));
  } else if (is_required) {
    const bool has_router = is_run_folder(run) && routes(read_run_config(run).method.name);
    throw UserError(
        run.string(),
        std::string("has no routing.safetensors: ") +
            (has_router ? "no routing has been recorded yet" : "its method has no router"),
        has_router
            ? "Resume the run: evaluations record the routing; without them, training steps do."
            : "Name a run of molex or of a mixture of experts.");
  }
}

void print_run(const fs::path& path) {
  const RunConfig config = read_run_config(path);
  fmt::print("{}: a run of {} on {} with {}\n", path.string(), method_title(config.method),
             config.task.name, config.model.path);
  fmt::print("  config.yaml has every option; events.jsonl has the loss of every step\n\n");
  if (const auto result = read_result(path))
    fmt::print("{}", result_table({*result}));
  else
    fmt::print("Not finished. Continue with: mixtune resume {}\n", path.string());
  std::error_code error;
  if (fs::is_directory(path / "adapter", error)) {
    fmt::print("\n");
    print_adapter(path / "adapter", false);
  }
  print_routing(path, false);
}

bool has(const fs::path& folder, const char* name) {
  std::error_code error;
  return fs::exists(folder / name, error);
}

int run(const InspectArguments& arguments) {
  const fs::path path = arguments.path;
  std::error_code error;
  if (!fs::exists(path, error))
    throw UserError(arguments.path, "does not exist; expected a file or folder", "Check the path.");
  if (arguments.only_routing)
    print_routing(path, true);
  else if (!fs::is_directory(path, error))
    print_file(path, true);
  else if (is_run_folder(path))
    print_run(path);
  else if (has(path, "adapter_config.json"))
    print_adapter(path, arguments.all_tensors);
  else if (has(path, "config.json"))
    print_model(path, arguments.all_tensors);
  else
    throw UserError(arguments.path,
                    "is not a run, adapter or model folder; expected config.yaml and events.jsonl, "
                    "adapter_config.json, or config.json",
                    "Check the path.");
  return kDone;
}

CommandRun declare_inspect(CLI::App& app) {
  auto arguments = std::make_shared<InspectArguments>();
  app.add_option("path", arguments->path,
                 "Run, adapter or model folder, safetensors file or pytorch_model.bin")
      ->required();
  app.add_flag("--routing", arguments->only_routing, "Print only the routing chart of a run");
  app.add_flag("--tensors", arguments->all_tensors, "List every tensor, even if there are many");
  return [arguments] { return run(*arguments); };
}

}  // namespace

void register_inspect(Registry<CommandEntry>& registry) {
  registry.add({"inspect",
                "Describe the contents of a run, an adapter, a model or a file of tensors",
                {"mixtune inspect runs/qnli-molex+lora-0", "mixtune inspect model.safetensors"},
                declare_inspect});
}

}  // namespace mixtune
