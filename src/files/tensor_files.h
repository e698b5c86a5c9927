// The weights of a model or adapter folder: one safetensors file or the shards of an index, seen as
// one.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "files/safetensors.h"

namespace mixtune {

class TensorFiles {
 public:
  const std::vector<SafetensorsFile>& files() const { return files_; }
  std::vector<std::string> names() const;  // file by file, in the headers' order

  bool contains(const std::string& name) const { return file_of_.count(name) != 0; }
  // The file that holds a tensor; UserError with the nearest names where none does.
  const SafetensorsFile& file(const std::string& name) const;
  const TensorInfo& info(const std::string& name) const { return file(name).info(name); }
  std::span<const std::byte> bytes(const std::string& name) const { return file(name).bytes(name); }

 private:
  friend TensorFiles open_model(const std::filesystem::path&);
  friend TensorFiles open_adapter(const std::filesystem::path&);
  void add(SafetensorsFile file);

  std::filesystem::path path_;
  std::vector<SafetensorsFile> files_;
  std::unordered_map<std::string, size_t> file_of_;  // name to its place in files_
};

// A folder's model.safetensors, else model.safetensors.index.json and its shards, else a UserError:
// pickle files (pytorch_model.bin) can run code and are refused with how to convert them. A path to
// a safetensors file is that file.
TensorFiles open_model(const std::filesystem::path& path);

// The same for an adapter folder's adapter_model.safetensors.
TensorFiles open_adapter(const std::filesystem::path& path);

}  // namespace mixtune
