#include "train/checkpoint.h"

#include <algorithm>
#include <charconv>
#include <limits>

#include "base/file.h"
#include "base/json.h"
#include "tensor/tensor_file.h"

namespace mixtune {
namespace fs = std::filesystem;
namespace {

constexpr const char* kFirst = ".exp_avg";
constexpr const char* kSecond = ".exp_avg_sq";
constexpr const char* kSetAside = "NOT_FINITE";

double number_or_nan(const Json& value) {
  return value.is_number() ? value.get<double>() : std::numeric_limits<double>::quiet_NaN();
}

std::string print_cursor(const Cursor& c) {
  Json metrics = Json::array();
  for (const MetricValue& m : c.best_metrics) metrics.push_back({m.name, number_or_null(m.value)});
  const Json out = {{"step", c.step},
                    {"epoch", c.epoch},
                    {"step_in_epoch", c.step_in_epoch},
                    {"best_value", c.best_value ? Json(*c.best_value) : Json(nullptr)},
                    {"best_step", c.best_step},
                    {"evaluations_without_best", c.evaluations_without_best},
                    {"best_metrics", metrics},
                    {"best_loss", number_or_null(c.best_loss)},
                    {"seconds", c.seconds},
                    {"timed_seconds", c.timed_seconds},
                    {"timed_tokens", c.timed_tokens},
                    {"stopped_early", c.stopped_early},
                    {"identity",
                     {{"config", Json::parse(c.identity.config)},
                      {"data", c.identity.data},
                      {"tokens", c.identity.tokens},
                      {"model", c.identity.model},
                      {"tool", c.identity.tool}}}};
  return out.dump(2) + "\n";
}

Cursor parse_cursor(const fs::path& path) {
  const Json json = read_json(path);
  Cursor c;
  try {
    c.step = json.at("step").get<int64_t>();
    c.epoch = json.at("epoch").get<int64_t>();
    c.step_in_epoch = json.at("step_in_epoch").get<int64_t>();
    if (!json.at("best_value").is_null()) c.best_value = json.at("best_value").get<double>();
    c.best_step = json.at("best_step").get<int64_t>();
    c.evaluations_without_best = json.at("evaluations_without_best").get<int64_t>();
    for (const Json& m : json.at("best_metrics"))
      c.best_metrics.push_back({m.at(0).get<std::string>(), number_or_nan(m.at(1))});
    c.best_loss = number_or_nan(json.at("best_loss"));
    c.seconds = json.at("seconds").get<double>();
    c.timed_seconds = json.at("timed_seconds").get<double>();
    c.timed_tokens = json.at("timed_tokens").get<int64_t>();
    c.stopped_early = json.at("stopped_early").get<bool>();
    const Json& identity = json.at("identity");
    c.identity = {.config = identity.at("config").dump(),
                  .data = identity.at("data").get<std::string>(),
                  .tokens = identity.at("tokens").get<std::string>(),
                  .model = identity.at("model").get<std::string>(),
                  .tool = identity.at("tool").get<std::string>()};
  } catch (const Json::exception& error) {
    throw UserError(path.string(),
                    std::string("is not a checkpoint's cursor (") + error.what() + ")",
                    "Remove this checkpoint; 'mixtune resume' then uses the previous one.");
  }
  return c;
}

// N of "step-N"; nullopt for other names.
std::optional<int64_t> step_of(const fs::path& path) {
  const std::string name = path.filename().string();
  if (!name.starts_with("step-")) return std::nullopt;
  int64_t step = 0;
  const auto [end, error] = std::from_chars(name.data() + 5, name.data() + name.size(), step);
  if (error != std::errc() || end != name.data() + name.size()) return std::nullopt;
  return step;
}

void rename_or_throw(const fs::path& from, const fs::path& to) {
  std::error_code error;
  fs::rename(from, to, error);
  if (error)
    throw UserError(to.string(), "cannot be written (" + error.message() + ")",
                    "Free space or choose another folder; earlier checkpoints are unchanged.");
}

// Renames the folder first, so that it does not look complete if the program dies half-way.
void discard(const fs::path& folder) {
  std::error_code error;
  fs::path partial = folder;
  partial += ".partial";
  fs::remove_all(partial, error);
  fs::rename(folder, partial, error);
  fs::remove_all(error ? folder : partial, error);
}

// Appends the segments of `flat` [count] as tensors of their shapes.
void append_moments(const Trainables& trainables, const Tensor& flat, const char* suffix,
                    NamedTensors& out) {
  for (const Segment& segment : trainables.segments())
    out.emplace_back(segment.name + suffix, segment.view_of(flat));
}

void copy_in(const NamedTensors& from, const std::string& name, const Tensor& to,
             const fs::path& file) {
  const Tensor* found = find_tensor(from, name);
  if (!found || found->sizes() != to.sizes())
    throw UserError(file.string(),
                    name +
                        (found ? " has shape " + shape_text(*found) : std::string(" is missing")) +
                        "; this run has " + shape_text(to),
                    "Resume with the config that the checkpoint was saved with.");
  to.copy_(*found);
}

}  // namespace

fs::path Checkpoints::at(int64_t step) const {
  return folder_ / ("step-" + std::to_string(step));
}

fs::path Checkpoints::save(const Cursor& cursor, const Attachment& attachment,
                           const AdamW& optimizer) {
  const fs::path target = at(cursor.step);
  std::error_code error;
  if (fs::exists(target / "DONE", error) && !fs::exists(target / kSetAside, error)) return target;
  fs::path partial = target;
  partial += ".partial";
  fs::remove_all(partial, error);
  fs::remove_all(target, error);
  try {
    create_folder(partial);
    write_tensors(partial / "adapter.safetensors", attachment.state());
    NamedTensors moments;
    append_moments(attachment.trainables, optimizer.first, kFirst, moments);
    append_moments(attachment.trainables, optimizer.second, kSecond, moments);
    for (const FrozenBuffer& buffer : attachment.training_buffers)
      moments.emplace_back(buffer.name, *buffer.tensor);
    write_tensors(partial / "optimizer.safetensors", moments);
    write_file_atomically(partial / "cursor.json", print_cursor(cursor));
    write_file_atomically(partial / "DONE", "");
    rename_or_throw(partial, target);
  } catch (...) {
    fs::remove_all(partial, error);
    throw;
  }
  return target;
}

void Checkpoints::mark_best(int64_t step) {
  // A symbolic link cannot be replaced in place, so a new one is renamed over it.
  const fs::path link = folder_ / "best", fresh = folder_ / "best.new";
  std::error_code error;
  fs::remove(fresh, error);
  fs::create_directory_symlink(at(step).filename(), fresh, error);
  if (error)
    throw UserError(fresh.string(), "cannot be written (" + error.message() + ")",
                    "Choose an output folder on a file system with symbolic links.");
  rename_or_throw(fresh, link);
}

std::vector<int64_t> Checkpoints::complete() const {
  std::vector<int64_t> out;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder_, error))
    if (const auto step = step_of(entry.path()); step && fs::exists(entry.path() / "DONE", error))
      out.push_back(*step);
  std::sort(out.begin(), out.end());
  return out;
}

void Checkpoints::set_aside(int64_t step) {
  std::error_code error;
  if (fs::exists(at(step), error)) write_file_atomically(at(step) / kSetAside, "");
}

std::optional<int64_t> Checkpoints::last_complete() const {
  std::vector<int64_t> steps = complete();
  std::error_code error;
  while (!steps.empty() && fs::exists(at(steps.back()) / kSetAside, error)) steps.pop_back();
  return steps.empty() ? std::nullopt : std::optional(steps.back());
}

void Checkpoints::retain(int64_t keep, int64_t best_step) {
  const std::vector<int64_t> steps = complete();
  std::error_code error;
  for (size_t i = 0; i + static_cast<size_t>(keep) < steps.size(); ++i)
    if (steps[i] != best_step) discard(at(steps[i]));
  for (const auto& entry : fs::directory_iterator(folder_, error))
    if (entry.path().extension() == ".partial") fs::remove_all(entry.path(), error);
}

Cursor Checkpoints::read_cursor(int64_t step) const {
  return parse_cursor(at(step) / "cursor.json");
}

void Checkpoints::restore(int64_t step, Attachment& attachment, AdamW& optimizer) const {
  const at::NoGradGuard no_grad;
  const fs::path weights = at(step) / "adapter.safetensors",
                 moments = at(step) / "optimizer.safetensors";
  const NamedTensors saved = read_tensors(weights), state = read_tensors(moments);
  for (const auto& [name, tensor] : attachment.state()) copy_in(saved, name, tensor, weights);
  for (const Segment& segment : attachment.trainables.segments()) {
    copy_in(state, segment.name + kFirst, segment.view_of(optimizer.first), moments);
    copy_in(state, segment.name + kSecond, segment.view_of(optimizer.second), moments);
  }
  for (const FrozenBuffer& buffer : attachment.training_buffers)
    copy_in(state, buffer.name, *buffer.tensor, moments);
  optimizer.set_steps_done(step);
}

}  // namespace mixtune
