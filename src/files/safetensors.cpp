#include "files/safetensors.h"

#include <bit>
#include <cstring>

#include "base/error.h"
#include "files/safetensors_header.h"

namespace mixtune {
namespace {

static_assert(std::endian::native == std::endian::little, "data is used without byte swapping");

constexpr uint64_t kLengthBytes = 8;
constexpr uint64_t kMaximumHeader = 100'000'000;  // the limit of the reference reader

}  // namespace

SafetensorsFile SafetensorsFile::open(const std::filesystem::path& path) {
  const std::string where = path.string();
  const auto reject = [&](const std::string& what) {
    throw UserError(where, what,
                    "The file is truncated or not a safetensors file; fetch it again.");
  };
  SafetensorsFile file;
  file.path_ = path;
  file.mapping_ = Mapping::open(path);
  const auto bytes = file.mapping_->bytes();
  if (bytes.empty()) reject("is empty");
  if (bytes.size() < kLengthBytes)
    reject("has " + std::to_string(bytes.size()) + " bytes; expected at least 8");
  uint64_t length = 0;
  std::memcpy(&length, bytes.data(), kLengthBytes);
  if (length > kMaximumHeader)
    reject("gives a header size of " + std::to_string(length) + " bytes; expected at most " +
           std::to_string(kMaximumHeader));
  if (length > bytes.size() - kLengthBytes)
    reject("gives a header size of " + std::to_string(length) + " bytes; the file has only " +
           std::to_string(bytes.size()));
  const std::string_view json(reinterpret_cast<const char*>(bytes.data()) + kLengthBytes, length);
  file.buffer_ = bytes.subspan(kLengthBytes + length);
  SafetensorsHeader header = parse_safetensors_header(json, file.buffer_.size(), where);
  file.tensors_ = std::move(header.tensors);
  file.metadata_ = std::move(header.metadata);
  for (size_t i = 0; i < file.tensors_.size(); ++i) file.index_[file.tensors_[i].name] = i;
  return file;
}

std::vector<std::string> SafetensorsFile::names() const {
  std::vector<std::string> out;
  for (const TensorInfo& tensor : tensors_) out.push_back(tensor.name);
  return out;
}

const TensorInfo* SafetensorsFile::find(const std::string& name) const {
  const auto found = index_.find(name);
  return found == index_.end() ? nullptr : &tensors_[found->second];
}

const TensorInfo& SafetensorsFile::info(const std::string& name) const {
  if (const TensorInfo* tensor = find(name)) return *tensor;
  const auto near = nearest(name, names());
  throw UserError(path_.string(), "has no tensor \"" + name + '"',
                  near.empty() ? "It has " + std::to_string(tensors_.size()) + " other tensors."
                               : "Nearest: " + join_names(near) + ".");
}

std::span<const std::byte> SafetensorsFile::bytes(const std::string& name) const {
  return bytes(info(name));
}

std::span<const std::byte> SafetensorsFile::bytes(const TensorInfo& info) const {
  return buffer_.subspan(info.begin, info.end - info.begin);
}

}  // namespace mixtune
