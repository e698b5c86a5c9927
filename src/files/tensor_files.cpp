#include "files/tensor_files.h"

#include <map>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"

namespace mixtune {
namespace fs = std::filesystem;
namespace {

bool is_there(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

bool is_folder(const fs::path& path) {
  std::error_code ignored;
  return fs::is_directory(path, ignored);
}

// The shards of an index, with the tensor names that the index expects in each.
std::map<std::string, std::vector<std::string>> read_index(const fs::path& path) {
  const auto reject = [&](const std::string& what) {
    throw UserError(path.string(), what, "The index is damaged; fetch the model again.");
  };
  const Json index = parse_strict_json(read_file(path), path.string());
  if (!index.is_object() || !index.contains("weight_map") || !index["weight_map"].is_object())
    reject("has no weight_map; expected an object from tensor names to file names");
  std::map<std::string, std::vector<std::string>> shards;
  for (const auto& [name, shard] : index["weight_map"].items()) {
    if (!shard.is_string()) reject("maps \"" + name + "\" to no file name");
    const auto file = shard.get<std::string>();
    // A name that contains a path could refer to any file on the machine.
    if (file.empty() || file[0] == '.' || file.find_first_of(std::string("/\\\0", 3)) != file.npos)
      reject("maps \"" + name + "\" to \"" + file +
             "\"; expected the name of a file next to the index");
    shards[file].push_back(name);
  }
  if (shards.empty()) reject("has an empty weight_map");
  return shards;
}

[[noreturn]] void reject_pickle(const fs::path& path, const std::string& target) {
  const std::string name = path.filename().string();
  const std::string one_file =
      "python -c \"import torch, safetensors.torch as s; s.save_file({k: v.clone().contiguous() "
      "for k, v in "
      "torch.load('" +
      name + "', map_location='cpu', weights_only=True).items()}, '" + target +
      "', {'format': 'pt'})\"";
  const std::string shards =
      "load the folder with transformers and call save_pretrained on the model";
  throw UserError(path.string(),
                  "is a pickle checkpoint, which can run code when it is read; expected " + target,
                  "If you trust it, convert it once: " +
                      (path.extension() == ".json" ? shards : one_file) + '.');
}

}  // namespace

void TensorFiles::add(SafetensorsFile file) {
  for (const TensorInfo& tensor : file.tensors()) {
    const auto [other, is_new] = file_of_.emplace(tensor.name, files_.size());
    if (!is_new)
      throw UserError(file.path().string(),
                      "contains \"" + tensor.name + "\", which is also in " +
                          files_[other->second].path().filename().string(),
                      "The shards belong to different models; fetch the model again.");
  }
  files_.push_back(std::move(file));
}

std::vector<std::string> TensorFiles::names() const {
  std::vector<std::string> out;
  for (const SafetensorsFile& file : files_)
    for (const TensorInfo& tensor : file.tensors()) out.push_back(tensor.name);
  return out;
}

const SafetensorsFile& TensorFiles::file(const std::string& name) const {
  const auto found = file_of_.find(name);
  if (found != file_of_.end()) return files_[found->second];
  const auto near = nearest(name, names());
  throw UserError(path_.string(), "has no tensor \"" + name + '"',
                  near.empty() ? "It has " + std::to_string(file_of_.size()) + " other tensors."
                               : "Nearest: " + join_names(near) + ".");
}

TensorFiles open_model(const fs::path& path) {
  TensorFiles model;
  model.path_ = path;
  if (!is_there(path)) throw UserError(path.string(), "does not exist", "Check the path.");
  if (!is_folder(path)) {
    model.add(SafetensorsFile::open(path));
    return model;
  }
  const fs::path index = path / "model.safetensors.index.json";
  if (is_there(path / "model.safetensors")) {
    model.add(SafetensorsFile::open(path / "model.safetensors"));
    return model;
  }
  if (is_there(index)) {
    for (const auto& [shard, names] : read_index(index)) {
      if (!is_there(path / shard))
        throw UserError(index.string(), "names " + shard + ", which is missing",
                        "Fetch that file too.");
      SafetensorsFile file = SafetensorsFile::open(path / shard);
      for (const std::string& name : names)
        if (file.find(name) == nullptr)
          throw UserError(index.string(),
                          "assigns \"" + name + "\" to " + shard + ", which does not contain it",
                          "The shards belong to different models; fetch the model again.");
      model.add(std::move(file));
    }
    return model;
  }
  for (const char* pickle : {"pytorch_model.bin", "pytorch_model.bin.index.json"})
    if (is_there(path / pickle)) reject_pickle(path / pickle, "model.safetensors");
  if (is_there(path / "adapter_config.json"))
    throw UserError(path.string(), "contains an adapter and no model",
                    "Name the base model's folder as the model and this folder as the adapter.");
  throw UserError(path.string(), "has no model.safetensors and no model.safetensors.index.json",
                  "Name a model folder in the Hugging Face layout.");
}

TensorFiles open_adapter(const fs::path& path) {
  TensorFiles adapter;
  adapter.path_ = path;
  if (!is_there(path)) throw UserError(path.string(), "does not exist", "Check the path.");
  if (!is_folder(path)) {
    adapter.add(SafetensorsFile::open(path));
    return adapter;
  }
  const fs::path file = path / "adapter_model.safetensors";
  if (!is_there(file) && is_there(path / "adapter_model.bin"))
    reject_pickle(path / "adapter_model.bin", "adapter_model.safetensors");
  if (!is_there(file))
    throw UserError(path.string(), "has no adapter_model.safetensors",
                    "Name an adapter folder; an adapter with a name other than default is in a "
                    "subfolder of that name.");
  adapter.add(SafetensorsFile::open(file));
  return adapter;
}

}  // namespace mixtune
