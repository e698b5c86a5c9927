#include "files/tensor_files.h"

#include <gtest/gtest.h>

#include "files/raw_file.h"

namespace mixtune::test {
namespace {

void write_tensors(const fs::path& path, const std::vector<std::string>& names) {
  const uint8_t data = 7;
  std::vector<TensorToWrite> tensors;
  for (const std::string& name : names)
    tensors.push_back({.name = name, .dtype = DType::U8, .shape = {1}, .data = &data, .bytes = 1});
  write_safetensors(path, tensors);
}

void write_index(const TemporaryFolder& folder, const std::string& weight_map) {
  write_file_atomically(folder / "model.safetensors.index.json",
                        "{\"metadata\":{\"total_size\":3},\"weight_map\":" + weight_map + "}");
}

std::string error_of_folder(const TemporaryFolder& folder) {
  std::string line = error_line(folder, [&] { open_model(folder.path()); });
  return line;
}

void expect_folder_error(const TemporaryFolder& folder, const std::string& part) {
  const std::string line = error_of_folder(folder);
  EXPECT_NE(line.find(part), std::string::npos) << "expected: " << part << "\ngot: " << line;
}

TEST(OpenModel, PrefersTheSingleFile) {
  TemporaryFolder folder;
  write_tensors(folder / "model.safetensors", {"a", "b"});
  write_index(folder, "{\"z\": \"absent.safetensors\"}");
  write_file_atomically(folder / "pytorch_model.bin", "x");
  const TensorFiles model = open_model(folder.path());
  EXPECT_EQ(model.names(), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(model.bytes("b")[0], std::byte{7});
  EXPECT_EQ(open_model(folder / "model.safetensors").names().size(), 2u);
}

TEST(OpenModel, JoinsShards) {
  TemporaryFolder folder;
  write_tensors(folder / "model-00001-of-00002.safetensors", {"a", "b"});
  write_tensors(folder / "model-00002-of-00002.safetensors", {"c"});
  write_index(
      folder,
      "{\"a\": \"model-00001-of-00002.safetensors\", \"b\": \"model-00001-of-00002.safetensors\","
      " \"c\": \"model-00002-of-00002.safetensors\"}");
  const TensorFiles model = open_model(folder.path());
  EXPECT_EQ(model.names(), (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_TRUE(model.contains("c"));
  EXPECT_FALSE(model.contains("d"));
  EXPECT_EQ(model.file("c").path().filename(), "model-00002-of-00002.safetensors");
  EXPECT_EQ(
      error_line(folder, [&] { model.info("query.weight"); }).substr(folder.path().string().size()),
      ": has no tensor \"query.weight\". It has 3 other tensors.");
}

TEST(OpenModel, RejectsAnIndexThatDoesNotFitItsShards) {
  TemporaryFolder folder;
  write_tensors(folder / "1.safetensors", {"a", "b"});
  write_tensors(folder / "2.safetensors", {"b", "c"});
  write_index(folder, "{\"a\": \"1.safetensors\", \"c\": \"2.safetensors\"}");
  expect_folder_error(folder, "2.safetensors: contains \"b\", which is also in 1.safetensors");
  write_index(folder, "{\"a\": \"1.safetensors\", \"z\": \"1.safetensors\"}");
  expect_folder_error(folder, "assigns \"z\" to 1.safetensors, which does not contain it");
  write_index(folder, "{\"a\": \"3.safetensors\"}");
  expect_folder_error(folder, "names 3.safetensors, which is missing. Fetch that file too.");
}

TEST(OpenModel, RejectsAMalformedIndex) {
  TemporaryFolder folder;
  write_index(folder, "[]");
  expect_folder_error(folder, "has no weight_map");
  write_index(folder, "{}");
  expect_folder_error(folder, "has an empty weight_map");
  write_index(folder, "{\"a\": 3}");
  expect_folder_error(folder, "maps \"a\" to no file name");
  write_index(folder, "{\"a\": \"1\", \"a\": \"2\"}");
  expect_folder_error(folder, "repeats the key \"a\"");
  write_index(folder, "{");
  expect_folder_error(folder, "is not valid JSON");
  write_file_atomically(folder / "model.safetensors.index.json", "[]");
  expect_folder_error(folder, "has no weight_map");
  for (const char* name :
       {"../x.safetensors", "/etc/passwd", "..", ".", "", "a/../x", "a\\\\x", "a\\u0000x"}) {
    write_index(folder, "{\"a\": \"" + std::string(name) + "\"}");
    expect_folder_error(folder, "expected the name of a file next to the index");
  }
}

TEST(OpenModel, RejectsPicklesAndExplainsHowToConvertThem) {
  TemporaryFolder folder;
  write_file_atomically(folder / "pytorch_model.bin", "x");
  expect_folder_error(
      folder,
      "pytorch_model.bin: is a pickle checkpoint, which can run code when it is read; "
      "expected model.safetensors. If you trust it, convert it once: python -c");
  TemporaryFolder sharded;
  write_file_atomically(sharded / "pytorch_model.bin.index.json", "{}");
  expect_folder_error(sharded, "save_pretrained");
}

TEST(OpenModel, ReportsWhatIsMissing) {
  TemporaryFolder folder;
  expect_folder_error(folder, "has no model.safetensors and no model.safetensors.index.json");
  write_file_atomically(folder / "adapter_config.json", "{}");
  expect_folder_error(folder, "contains an adapter and no model");
  EXPECT_EQ(error_line(folder, [&] { open_model(folder / "absent"); }),
            "absent: does not exist. Check the path.");
}

TEST(OpenAdapter, AcceptsOnlySafetensors) {
  TemporaryFolder folder;
  const auto error = [&] { return error_line(folder, [&] { open_adapter(folder.path()); }); };
  EXPECT_NE(error().find("has no adapter_model.safetensors"), std::string::npos);
  write_file_atomically(folder / "adapter_model.bin", "x");
  EXPECT_NE(error().find("adapter_model.bin: is a pickle checkpoint"), std::string::npos);
  write_tensors(folder / "adapter_model.safetensors", {"a"});
  EXPECT_EQ(open_adapter(folder.path()).names(), std::vector<std::string>{"a"});
}

TEST(OpenModel, ReadsARealModel) {
  const fs::path path = data_dir() / "models" / "babyllama-tok105";
  if (!fs::exists(path)) GTEST_SKIP() << path << " is absent";
  bool has_safetensors = fs::exists(path / "model.safetensors");
  if (!has_safetensors) GTEST_SKIP() << path << " has no safetensors file";
  const TensorFiles model = open_model(path);
  EXPECT_TRUE(model.contains("model.embed_tokens.weight"));
}

}  // namespace
}  // namespace mixtune::test
