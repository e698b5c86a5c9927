// Reads and writes safetensors files: 8 bytes of header length, a JSON header, one buffer. The
// reader does not trust the file: every rule of the format is checked before any data is returned.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "files/dtype.h"
#include "files/mapping.h"

namespace mixtune {

struct TensorInfo {
  std::string name;
  DType dtype = DType::F32;
  std::vector<int64_t> shape;   // empty for a scalar
  uint64_t begin = 0, end = 0;  // bytes, from the start of the buffer
};

class SafetensorsFile {
 public:
  // Maps and validates a file. Throws a UserError that names the file, the tensor and the violated
  // rule.
  static SafetensorsFile open(const std::filesystem::path& path);

  const std::filesystem::path& path() const { return path_; }
  const std::vector<TensorInfo>& tensors() const { return tensors_; }  // in the header's order
  std::vector<std::string> names() const;
  const std::map<std::string, std::string>& metadata() const { return metadata_; }

  const TensorInfo* find(const std::string& name) const;
  const TensorInfo& info(const std::string& name) const;  // UserError with the nearest names
  // The data, little-endian and row-major. In files of other writers it may be unaligned: copy it.
  // It is valid as long as the mapping.
  std::span<const std::byte> bytes(const std::string& name) const;
  std::span<const std::byte> bytes(const TensorInfo& info) const;
  std::shared_ptr<const Mapping> mapping() const { return mapping_; }

 private:
  std::filesystem::path path_;
  std::shared_ptr<const Mapping> mapping_;
  std::span<const std::byte> buffer_;
  std::vector<TensorInfo> tensors_;
  std::unordered_map<std::string, size_t> index_;  // name to index in tensors_
  std::map<std::string, std::string> metadata_;
};

// `data` is borrowed; `bytes` must match dtype and shape.
struct TensorToWrite {
  std::string name;
  DType dtype = DType::F32;
  std::vector<int64_t> shape;
  const void* data = nullptr;
  size_t bytes = 0;
};

// Replaces the file atomically. Tensors are stored in the order of element size (largest first),
// then name, so that every tensor is aligned and equal inputs give equal files. "format": "pt" is
// added to the metadata if it is missing, because transformers rejects files without it.
void write_safetensors(const std::filesystem::path& path, std::vector<TensorToWrite> tensors,
                       std::map<std::string, std::string> metadata = {});

}  // namespace mixtune
