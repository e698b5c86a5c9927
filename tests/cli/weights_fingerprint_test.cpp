// The fingerprint changes with the weights and does not depend on their folder.
#include "cli/weights_fingerprint.h"

#include <gtest/gtest.h>

#include <chrono>

#include "base/file.h"
#include "support/paths.h"

namespace mixtune::test {
namespace {

class WeightsMark : public testing::Test {
 protected:
  WeightsMark() {
    for (const std::string folder : {"model", "adapter"}) fs::create_directory(folder_ / folder);
    write("model/config.json", "{}");
    write("model/model.safetensors", "weights");
    write("adapter/adapter_config.json", "{}");
    write("adapter/adapter_model.safetensors", "twelve bytes");
    settings_.path = (folder_ / "model").string();
  }
  void write(const std::string& name, const std::string& content) {
    write_file_atomically(folder_ / name, content);
  }
  uint64_t with_adapter(const std::string& name) {
    ModelSettings settings = settings_;
    settings.adapter = (folder_ / name).string();
    return weights_fingerprint(settings);
  }

  TemporaryFolder folder_;
  ModelSettings settings_;
};

TEST_F(WeightsMark, OfAnAdapterDependsOnItsBytes) {
  const uint64_t mark = with_adapter("adapter");
  EXPECT_NE(mark, weights_fingerprint(settings_));
  fs::copy(folder_ / "adapter", folder_ / "copy");
  EXPECT_EQ(with_adapter("copy"), mark);
  for (const std::string other : {"Twelve bytes", "twelve byteS", "twelve bytes."}) {
    write("copy/adapter_model.safetensors", other);
    EXPECT_NE(with_adapter("copy"), mark) << other;
  }
}

TEST_F(WeightsMark, OfAModelDependsOnSizeAndTimeOfItsWeights) {
  const uint64_t mark = weights_fingerprint(settings_);
  write("model/texts.jsonl", "written there\n");
  EXPECT_EQ(weights_fingerprint(settings_), mark);
  const fs::path file = folder_ / "model/model.safetensors";
  const auto changed = fs::last_write_time(file);
  fs::last_write_time(file, changed + std::chrono::seconds(2));
  EXPECT_NE(weights_fingerprint(settings_), mark);
  fs::last_write_time(file, changed);
  EXPECT_EQ(weights_fingerprint(settings_), mark);
  write("model/model.safetensors", "more weights");
  fs::last_write_time(file, changed);
  EXPECT_NE(weights_fingerprint(settings_), mark);
}

}  // namespace
}  // namespace mixtune::test
