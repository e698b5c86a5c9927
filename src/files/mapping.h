// A file mapped into memory, read-only. Shared, so that tensors that point into it can outlive the
// reader.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>

namespace mixtune {

class Mapping {
 public:
  // UserError where the path is not a readable regular file. A file that another program makes
  // shorter while it is mapped ends the program (SIGBUS): replace files by rename, as we do.
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
