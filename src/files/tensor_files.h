// The weights of a model or adapter folder: one safetensors file, or the shards of an index as if
// they were one file.
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
  // The file that contains a tensor. Throws UserError with the nearest names if none does.
  const SafetensorsFile& file(const std::string& name) const;
  const TensorInfo& info(const std::string& name) const { return file(name).info(name); }
  std::span<const std::byte> bytes(const std::string& name) const { return file(name).bytes(name); }

 private:
  friend TensorFiles open_model(const std::filesystem::path&);
  friend TensorFiles open_adapter(const std::filesystem::path&);
  void add(SafetensorsFile file);

  std::filesystem::path path_;
  std::vector<SafetensorsFile> files_;
  std::unordered_map<std::string, size_t> file_of_;  // name to index in files_
};

// Opens a folder's model.safetensors, else model.safetensors.index.json and its shards, else throws
// a UserError: pickle files (pytorch_model.bin) can run code and are rejected with instructions for
// converting them. `path` may also be a safetensors file.
TensorFiles open_model(const std::filesystem::path& path);

// The same for an adapter folder's adapter_model.safetensors.
TensorFiles open_adapter(const std::filesystem::path& path);

}  // namespace mixtune
