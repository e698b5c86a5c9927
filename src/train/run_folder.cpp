#include "train/run_folder.h"

#include <fmt/format.h>
#include <torch/version.h>

#include <fstream>
#include <limits>
#include <thread>

#include "base/file.h"
#include "base/json.h"
#include "tensor/tensor_file.h"
#include "train/identity.h"
#include "train/routing_report.h"

namespace mixtune {
namespace fs = std::filesystem;
namespace {

constexpr const char* kConfig = "config.yaml";
constexpr const char* kEvents = "events.jsonl";
constexpr const char* kResult = "result.json";

// Whether `path` exists and is not an empty folder.
bool has_something(const fs::path& path) {
  std::error_code error;
  if (!fs::exists(path, error)) return false;
  return !fs::is_directory(path, error) || !fs::is_empty(path, error);
}

// Renames a run that is to be overwritten and returns its new path; empty if there is none.
fs::path set_aside(const fs::path& path) {
  if (!has_something(path)) return {};
  std::error_code error;
  fs::path aside = path;
  aside += ".replaced";
  fs::remove_all(aside, error);
  fs::rename(path, aside, error);
  if (error)
    throw UserError(path.string(), "cannot be replaced (" + error.message() + ")",
                    "Choose another output.");
  return aside;
}

// The topmost folder of `path` that does not exist; empty if all exist.
fs::path first_missing(const fs::path& path) {
  std::error_code error;
  fs::path missing;
  for (fs::path at = path; !at.empty() && !fs::exists(at, error); at = at.parent_path())
    missing = at;
  return missing;
}

// Empties the folder and removes it and its parents up to `made`, as long as they are empty.
void take_back(const fs::path& path, const fs::path& made) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(path, error)) fs::remove_all(entry.path(), error);
  if (made.empty()) return;
  for (fs::path at = path; fs::remove(at, error) && at != made;) at = at.parent_path();
}

fs::path without_end_slash(const fs::path& path) {
  return path.filename().empty() ? path.parent_path() : path;
}

std::string cpu_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);)
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  return "unknown";
}

}  // namespace

void check_free(const fs::path& path, bool overwrite) {
  std::error_code error;
  if (!has_something(path)) return;
  if (!overwrite)
    throw UserError(path.string(), "exists already",
                    "Choose another output, add --overwrite, or continue with 'mixtune resume " +
                        path.string() + "'.");
  if (!fs::is_regular_file(path / kConfig, error))
    throw UserError(path.string(), "is not a run folder, so it is not overwritten",
                    "Choose another output or remove it yourself.");
}

RunFolder::RunFolder(fs::path path, EventWriter events)
    : path_(std::move(path)), events_(std::move(events)), log_(std::make_unique<Log>(nullptr)) {
  log_->open_file(path_ / "log.txt");
}

RunFolder::RunFolder(RunFolder&& other) noexcept
    : path_(std::move(other.path_)),
      replaced_(std::move(other.replaced_)),
      made_(std::move(other.made_)),
      is_new_(std::exchange(other.is_new_, false)),
      events_(std::move(other.events_)),
      log_(std::move(other.log_)) {}

RunFolder RunFolder::create(const fs::path& given, const RunConfig& config,
                            const TrainOptions& options) {
  const fs::path path = without_end_slash(given);
  std::error_code error;
  check_free(path, options.overwrite);
  const fs::path replaced = set_aside(path);
  const fs::path made = first_missing(path);
  try {
    create_folder(path);
    write_file_atomically(path / kConfig, to_yaml(config, options.origins));
    RunFolder out(path, EventWriter::create(path / kEvents));
    out.is_new_ = true;
    out.made_ = made;
    out.replaced_ = replaced;
    return out;
  } catch (...) {
    take_back(path, made);
    if (!replaced.empty()) fs::rename(replaced, path, error);
    throw;
  }
}

RunFolder RunFolder::reopen(const fs::path& path, int64_t step) {
  return RunFolder(path, EventWriter::resume(path / kEvents, step));
}

RunFolder::~RunFolder() {
  if (!is_new_) return;
  std::error_code error;
  log_.reset();
  take_back(path_, made_);
  if (!replaced_.empty()) fs::rename(replaced_, path_, error);
}

void RunFolder::keep() {
  if (!is_new_) return;
  is_new_ = false;
  std::error_code error;
  if (!replaced_.empty()) fs::remove_all(replaced_, error);
}

void RunFolder::log(std::string_view line) {
  log_->info(line);
}

void RunFolder::write_environment(const Session& session, const std::string& command) const {
  std::error_code error;
  const Json out = {{"mixtune", tool_version()},
                    {"libtorch", TORCH_VERSION},
                    {"compiler", __VERSION__},
                    {"cpu", cpu_name()},
                    {"cores", std::thread::hardware_concurrency()},
                    {"threads", at::get_num_threads()},
                    {"device", session.device.str()},
                    {"folder", fs::current_path(error).string()},
                    {"command", command}};
  write_file_atomically(path_ / "environment.json",
                        out.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
}

void RunFolder::write_result(const RunResult& r) const {
  Json metrics = Json::object();
  for (const MetricValue& m : r.metrics) metrics[m.name] = number_or_null(m.value);
  const Json out = {{"task", r.task},
                    {"method", r.method},
                    {"seed", r.seed},
                    {"steps", r.steps},
                    {"best_step", r.best_step},
                    {"metrics", metrics},
                    {"evaluation_loss", number_or_null(r.evaluation_loss)},
                    {"trainable_parameters", r.trainable_parameters},
                    {"tokens_per_second", r.tokens_per_second},
                    {"peak_memory_bytes", r.peak_memory_bytes},
                    {"seconds", r.seconds},
                    {"stopped_early", r.stopped_early}};
  write_file_atomically(path_ / kResult, out.dump(2) + "\n");
}

std::optional<RunResult> read_result(const fs::path& run) {
  std::error_code error;
  const fs::path path = run / kResult;
  if (!fs::exists(path, error)) return std::nullopt;
  const Json json = read_json(path);
  RunResult out{.folder = run};
  try {
    const auto number = [](const Json& value) {
      return value.is_null() ? std::numeric_limits<double>::quiet_NaN() : value.get<double>();
    };
    out.task = json.at("task").get<std::string>();
    out.method = json.at("method").get<std::string>();
    out.seed = json.at("seed").get<int64_t>();
    out.steps = json.at("steps").get<int64_t>();
    out.best_step = json.at("best_step").get<int64_t>();
    for (const auto& [name, value] : json.at("metrics").items())
      out.metrics.push_back({name, number(value)});
    out.evaluation_loss = number(json.at("evaluation_loss"));
    out.trainable_parameters = json.at("trainable_parameters").get<int64_t>();
    out.tokens_per_second = json.at("tokens_per_second").get<double>();
    out.peak_memory_bytes = json.at("peak_memory_bytes").get<int64_t>();
    out.seconds = json.at("seconds").get<double>();
    out.stopped_early = json.at("stopped_early").get<bool>();
  } catch (const Json::exception& problem) {
    throw UserError(path.string(), std::string("is not a result (") + problem.what() + ")",
                    "Remove it; 'mixtune resume' creates it again.");
  }
  return out;
}

void RunFolder::write_routing(const RoutingRecord& record) const {
  const auto tensors = routing_tensors(record);
  if (!tensors.empty()) write_tensors(path_ / "routing.safetensors", tensors);
}

}  // namespace mixtune
