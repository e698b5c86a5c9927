#include "cli/weights_fingerprint.h"

#include <algorithm>
#include <cstring>

#include "base/file.h"
#include "tensor/random.h"

namespace mixtune {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> sorted_files(const fs::path& folder) {
  std::vector<fs::path> out;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error))
    if (entry.is_regular_file(error)) out.push_back(entry.path());
  std::sort(out.begin(), out.end());
  return out;
}

bool holds_weights(const fs::path& file) {
  return file.extension() == ".safetensors" || file.extension() == ".bin";
}

// Reads eight bytes at a time, because an adapter may be as large as a model.
RandomKey derive_bytes(RandomKey key, std::string_view bytes) {
  uint64_t word = 0;
  for (; bytes.size() >= sizeof word; bytes.remove_prefix(sizeof word)) {
    std::memcpy(&word, bytes.data(), sizeof word);
    key = derive(key, word);
  }
  return derive(key, bytes);
}

}  // namespace

uint64_t weights_fingerprint(const ModelSettings& model) {
  RandomKey out = 0;
  for (const fs::path& file : sorted_files(model.path)) {
    if (!holds_weights(file)) continue;
    out = derive(out, file.filename().string());
    out = derive(out, fs::file_size(file));
    const auto changed = fs::last_write_time(file).time_since_epoch().count();
    out = derive(out, static_cast<uint64_t>(changed));
  }
  if (model.adapter)
    for (const fs::path& file : sorted_files(*model.adapter))
      out = derive_bytes(derive(out, file.filename().string()), read_file(file));
  return out;
}

}  // namespace mixtune
