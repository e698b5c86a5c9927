#include "train/identity.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <fstream>

#include "base/config_json.h"
#include "base/file.h"

namespace mixtune {
namespace fs = std::filesystem;
namespace {

std::string hex(RandomKey key) {
  return fmt::format("{:016x}", key);
}

RandomKey hash_parts(RandomKey key, const std::vector<TextPart>& parts) {
  for (const TextPart& part : parts)
    key = derive(derive(key, part.text), static_cast<uint64_t>(part.is_supervised));
  return key;
}

RandomKey hash_text(RandomKey key, const DataSet& set) {
  key = derive(key, set.name);
  for (const Example& e : set.examples) {
    key = derive(derive(key, e.first), static_cast<uint64_t>(e.id));
    if (e.second) key = derive(key, *e.second);
    key = hash_parts(key, e.parts);
    for (const AnswerOption& option : e.options)
      key = hash_parts(derive(key, static_cast<uint64_t>(option.label)), option.parts);
    key = derive(derive(key, static_cast<uint64_t>(e.label)), std::bit_cast<uint64_t>(e.score));
    if (e.example_group >= 0)
      key = derive(derive(key, "kind"), static_cast<uint64_t>(e.example_group));
  }
  return key;
}

RandomKey hash_ids(RandomKey key, const std::vector<EncodedExample>& examples) {
  const auto bytes = [](const std::vector<int32_t>& values) {
    return std::string_view(reinterpret_cast<const char*>(values.data()), values.size() * 4);
  };
  for (const EncodedExample& e : examples)
    key = derive(derive(key, bytes(e.ids)), bytes(e.type_ids));
  for (const EncodedExample& e : examples)
    for (const TokenSpan& span : e.supervised)
      key = derive(derive(key, static_cast<uint64_t>(span.begin)), static_cast<uint64_t>(span.end));
  return key;
}

// The options that affect results, without output folder, checkpoints and device.
Json deciding_options(const RunConfig& config) {
  Json out = to_json(config);
  for (const char* key : {"output", "threads", "device"}) out.erase(key);
  for (const char* key : {"keep", "save_every"}) out["train"].erase(key);
  // Folders may move; their contents are hashed.
  for (const char* key : {"path", "adapter", "tokenizer"}) out["model"].erase(key);
  if (out["task"].is_object())
    for (const char* key : {"data", "train", "dev", "test"}) out["task"].erase(key);
  return out;
}

// Hashes pages at even distances: all pages of a file up to 256 MB, some of a larger one, to limit
// the time.
RandomKey hash_pages(RandomKey key, const fs::path& path) {
  constexpr uint64_t kPage = 4096, kMost = 65536;
  std::error_code error;
  const uint64_t size = fs::file_size(path, error);
  if (error) return key;
  key = derive(derive(key, path.filename().string()), size);
  const uint64_t stride = kPage * std::max<uint64_t>(1, size / (kPage * kMost));
  std::ifstream file(path, std::ios::binary);
  std::array<uint64_t, kPage / sizeof(uint64_t)> page{};
  for (uint64_t at = 0; at < size; at += stride) {
    page.fill(0);
    file.seekg(static_cast<std::streamoff>(at));
    file.read(reinterpret_cast<char*>(page.data()), kPage);
    file.clear();  // the last page may be incomplete
    for (const uint64_t word : page) key = derive(key, word);
  }
  return key;
}

// A hash of config.json and of the weight files: safetensors files, or else pytorch_model.bin.
std::string model_fingerprint(const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error))
    if (entry.path().extension() == ".safetensors" && entry.is_regular_file(error))
      files.push_back(entry.path());
  if (files.empty()) files.push_back(folder / "pytorch_model.bin");
  std::sort(files.begin(), files.end());
  RandomKey key = derive(0, read_file(folder / "config.json"));
  for (const fs::path& file : files) key = hash_pages(key, file);
  return hex(key);
}

}  // namespace

std::string tool_version() {
  return "0.1.0";
}

Identity identity_of(const Session& session) {
  RandomKey data = hash_text(0, *session.train.data);
  RandomKey tokens = hash_ids(0, session.train.examples);
  for (const EncodedSet& set : session.evaluation) {
    data = hash_text(data, *set.data);
    tokens = hash_ids(tokens, set.examples);
  }
  return {.config = deciding_options(session.config).dump(),
          .data = hex(data),
          .tokens = hex(tokens),
          .model = model_fingerprint(session.config.model.path),
          .tool = tool_version()};
}

std::vector<std::string> differences(const Identity& saved, const Identity& now) {
  std::vector<std::string> out;
  const Json before = Json::parse(saved.config).flatten(),
             after = Json::parse(now.config).flatten();
  for (const auto& [key, value] : before.items()) {
    const Json here = after.value(key, Json());
    if (here != value)
      out.push_back(dotted(key) + " was " + value.dump() + " and is " + here.dump());
  }
  for (const auto& [key, value] : after.items())
    if (!before.contains(key)) out.push_back(dotted(key) + " was not set and is " + value.dump());
  if (saved.data != now.data)
    out.push_back("the data changed");
  else if (saved.tokens != now.tokens)
    out.push_back("the tokens changed: another tokenizer, or other tokens are supervised");
  if (saved.model != now.model) out.push_back("the model changed");
  if (saved.tool != now.tool) out.push_back("mixtune was " + saved.tool + " and is " + now.tool);
  return out;
}

}  // namespace mixtune
