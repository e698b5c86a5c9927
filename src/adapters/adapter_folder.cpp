#include "adapters/adapter_folder.h"

#include <algorithm>

#include "adapters/peft_lora.h"
#include "base/file.h"
#include "base/json.h"

namespace mixtune {
namespace fs = std::filesystem;
namespace {

// Version 2 has the program's present name in the description file and in the PEFT type.
constexpr int64_t kFormatVersion = 2;
constexpr std::string_view kPrefix = "base_model.model.";

bool is_for_peft(const Json& method, const AdapterContents& contents) {
  const Json& name = method.at("name");
  return (name == "lora" || name == "dora" || name == "adalora") && !contents.splits_modules;
}

std::string text_of(const Json& json) {
  return json.dump(2) + "\n";
}

Json json_or_null(const std::string& text) {
  return text.empty() ? Json() : Json::parse(text);
}

// Checks that the saved file has the given tensors and that all numbers are finite, so that an
// empty or broken adapter is noticed when it is saved.
void verify(const fs::path& file, const NamedTensors& written) {
  const NamedTensors read = read_tensors(file);
  MIXTUNE_CHECK(read.size() == written.size(),
                file.string() + " has " + std::to_string(read.size()) + " tensors");
  for (const auto& [name, tensor] : written) {
    const Tensor* found = find_tensor(read, name);
    MIXTUNE_CHECK(found != nullptr && found->sizes() == tensor.sizes(),
                  file.string() + ": " + name);
    MIXTUNE_CHECK(found->isfinite().all().item<bool>(),
                  file.string() + ": " + name + " is not finite");
  }
}

[[noreturn]] void malformed(const fs::path& path, const std::string& what) {
  throw UserError(path.string(), what, "Is this an adapter folder that mixtune wrote?");
}

[[noreturn]] void reject_version(const fs::path& path, const std::string& found) {
  throw UserError(path.string(),
                  "format_version is " + found + "; expected " + std::to_string(kFormatVersion),
                  "Use the version of the program that wrote it, or train again.");
}

// Before format version 2 the description file had another name. Such a folder must not be read as
// a folder of PEFT, because its task, labels and head would be lost without a warning.
void reject_older_description(const fs::path& folder) {
  for (const auto& entry : fs::directory_iterator(folder)) {
    const fs::path& path = entry.path();
    if (path.extension() != ".json" || path.filename() == "adapter_config.json") continue;
    std::error_code error;
    if (!entry.is_regular_file(error) || entry.file_size(error) > (1 << 20)) continue;
    const Json json = Json::parse(read_file(path), nullptr, /*allow_exceptions=*/false);
    if (json.is_object() && json.contains("format_version") && json.contains("method") &&
        json.contains("head"))
      reject_version(path, json.at("format_version").dump());
  }
}

std::string text_at(const Json& json, const char* key, const fs::path& path) {
  const auto found = json.find(key);
  if (found == json.end() || !found->is_string())
    malformed(path, std::string(key) + " is not a string");
  return found->get<std::string>();
}

void read_description(const fs::path& path, AdapterContents& out) {
  const Json json = read_json(path);
  if (!json.is_object()) malformed(path, "is not a JSON object");
  const auto version = json.find("format_version");
  if (version == json.end() || *version != kFormatVersion)
    reject_version(path, version == json.end() ? "missing" : version->dump());
  const auto method = json.find("method");
  if (method == json.end() || !method->is_object() || !method->contains("name"))
    malformed(path, "method is not an object with a name");
  out.method = method->dump();
  if (const auto task = json.find("task"); task != json.end() && !task->is_null()) {
    if (!task->is_object() || !task->contains("name"))
      malformed(path, "task is not an object with a name");
    out.task = task->dump();
  }
  if (const auto labels = json.find("labels"); labels != json.end() && !labels->is_null()) {
    if (!labels->is_array()) malformed(path, "labels is not a list");
    for (const Json& label : *labels) {
      if (!label.is_string()) malformed(path, "labels has an item that is not a string");
      out.labels.push_back(label.get<std::string>());
    }
  }
  out.head = text_at(json, "head", path);
  const auto pooler = json.find("train_pooler");
  out.train_pooler = pooler != json.end() && *pooler == true;
}

// Derives the number of outputs and the type of the head from its tensors.
void read_head(AdapterContents& out) {
  for (const auto& [name, tensor] : out.tensors) {
    const bool is_dense = name == "classifier.out_proj.weight";
    if (!is_dense && name != "classifier.weight" && name != "score.weight") continue;
    if (tensor.dim() != 2) continue;
    out.outputs = tensor.size(0);
    if (out.head == "auto") out.head = is_dense ? "dense" : "pooled";
  }
}

}  // namespace

void save_adapter(const fs::path& folder, const AdapterContents& contents) {
  create_folder(folder);
  const Json method = Json::parse(contents.method);
  NamedTensors tensors;
  for (const auto& [name, tensor] : contents.tensors)
    tensors.emplace_back(is_for_peft(method, contents) ? std::string(kPrefix) + name : name,
                         tensor);
  const fs::path file = folder / "adapter_model.safetensors";
  write_tensors(file, tensors);
  verify(file, tensors);
  const Json description = {{"format_version", kFormatVersion},
                            {"method", method},
                            {"task", json_or_null(contents.task)},
                            {"labels", contents.labels},
                            {"head", contents.head},
                            {"train_pooler", contents.train_pooler}};
  write_file_atomically(folder / "mixtune.json", text_of(description));
  if (is_for_peft(method, contents))
    write_file_atomically(folder / "adapter_config.json", peft_config_text(method, contents));
  else
    write_file_atomically(
        folder / "adapter_config.json",
        text_of(
            {{"peft_type", "MIXTUNE"}, {"format_version", kFormatVersion}, {"method", method}}));
}

AdapterContents load_adapter(const fs::path& folder) {
  std::error_code error;
  const fs::path config = folder / "adapter_config.json", description = folder / "mixtune.json";
  if (!fs::is_regular_file(config, error))
    throw UserError(folder.string(), "is not an adapter folder: it has no adapter_config.json",
                    "Name a run's adapter/ or a folder that PEFT wrote.");
  AdapterContents out;
  const bool is_ours = fs::exists(description, error);
  Json method;
  if (is_ours)
    read_description(description, out);
  else {
    reject_older_description(folder);
    const PeftLoraConfig peft = read_peft_config(config);
    method = method_of(peft, config.string());
    for (const std::string& key : peft.unknown_keys)
      out.warnings.push_back(config.string() + ": " + key + " is not supported and has no effect");
  }
  for (auto& [name, tensor] : read_tensors(folder / "adapter_model.safetensors"))
    out.tensors.emplace_back(name.starts_with(kPrefix) ? name.substr(kPrefix.size()) : name,
                             tensor);
  if (!is_ours) {
    // Without target_modules PEFT uses defaults of the model type; the tensors name the modules.
    if (!method.contains("target_modules")) method["target_modules"] = adapted_modules(out.tensors);
    out.method = method.dump();
  }
  read_head(out);
  return out;
}

}  // namespace mixtune
