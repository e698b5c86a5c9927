// The writer of safetensors files; see safetensors.h. A header is checked by the reader's own
// parser before anything is written.
#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "files/safetensors_header.h"

namespace mixtune {
namespace {

constexpr size_t kAlignment = 8;

std::string header_json(const std::vector<TensorToWrite>& tensors,
                        const std::map<std::string, std::string>& metadata) {
  // This is not a Json object, which would sort the names: readers print them in file order.
  std::string out = "{\"__metadata__\":" + Json(metadata).dump();
  uint64_t begin = 0;
  for (const TensorToWrite& tensor : tensors) {
    out += ',' + Json(tensor.name).dump() + ":{\"dtype\":\"" +
           std::string(dtype_name(tensor.dtype)) + "\",\"shape\":" + Json(tensor.shape).dump() +
           ",\"data_offsets\":[" + std::to_string(begin) + ',' +
           std::to_string(begin + tensor.bytes) + "]}";
    begin += tensor.bytes;
  }
  out += '}';
  out.resize((out.size() + kAlignment - 1) / kAlignment * kAlignment, ' ');
  return out;
}

}  // namespace

void write_safetensors(const std::filesystem::path& path, std::vector<TensorToWrite> tensors,
                       std::map<std::string, std::string> metadata) {
  metadata.emplace("format", "pt");
  std::sort(tensors.begin(), tensors.end(), [](const TensorToWrite& a, const TensorToWrite& b) {
    const size_t a_bytes = dtype_bytes(a.dtype), b_bytes = dtype_bytes(b.dtype);
    return a_bytes != b_bytes ? a_bytes > b_bytes : a.name < b.name;
  });
  uint64_t total = 0;
  for (const TensorToWrite& tensor : tensors) {
    MIXTUNE_CHECK(tensor.name != "__metadata__", "a tensor may not be called __metadata__");
    total += tensor.bytes;
  }
  std::string header;
  try {
    header = header_json(tensors, metadata);
    // The reader's rules must accept what is written.
    parse_safetensors_header(header, total, path.string());
  } catch (
      const std::exception& error) {  // including nlohmann's error for a name that is not UTF-8
    MIXTUNE_CHECK(false, error.what());
  }

  write_file_atomically(path, [&](const ByteSink& sink) {
    const uint64_t length = header.size();
    sink(&length, sizeof length);
    sink(header.data(), header.size());
    for (const TensorToWrite& tensor : tensors) sink(tensor.data, tensor.bytes);
  });
}

}  // namespace mixtune
