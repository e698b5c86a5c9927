// A read-only memory-mapped file. It is shared, so that tensors that point into it can outlive the
// reader.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>

namespace mixtune {

class Mapping {
 public:
  // Throws UserError if the path is not a readable regular file. If another program truncates a
  // mapped file, this program ends with SIGBUS: replace files by rename, as we do.
  static std::shared_ptr<const Mapping> open(const std::filesystem::path& path);
  ~Mapping();
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;

  std::span<const std::byte> bytes() const { return {data_, size_}; }

 private:
  Mapping(const std::byte* data, size_t size) : data_(data), size_(size) {}
  const std::byte* data_;
  size_t size_;
};

}  // namespace mixtune
