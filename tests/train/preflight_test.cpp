#include "train/preflight.h"

#include <gtest/gtest.h>

#include "tiny_run.h"

namespace mixtune {
namespace {

using test::contains;
using test::Recorder;
using test::TinyWorld;

TEST(Preflight, SummarizesMethodDataAndSteps) {
  const TinyWorld world;
  Recorder recorder;
  const auto session = open_session(world.config("run"), {}, recorder);
  const Preflight p = preflight(*session);
  // Query and value of two layers: 4 x (4 x 32 + 32 x 4); the classifier: 3 x 32 + 3.
  EXPECT_EQ(p.trainable_parameters, 4 * 256 + 99);
  ASSERT_EQ(p.kinds.size(), 2u);
  EXPECT_EQ(p.kinds[0].kind, "adapter");
  EXPECT_EQ(p.kinds[0].parameters, 1024);
  EXPECT_EQ(p.steps, 10);
  ASSERT_EQ(p.sets.size(), 2u);
  EXPECT_EQ(p.sets[0].labels.size(), 3u);
  int64_t labeled = 0;
  for (const LabelShare& label : p.sets[0].labels) labeled += label.count;
  EXPECT_EQ(labeled, 40);
  EXPECT_EQ(p.sets[0].lengths.truncated, 0);
  contains(p.example_text, "[CLS] ");
  EXPECT_GT(p.memory.activations, 0);
  const std::string text = render(p);
  contains(text, "attention.self.query");
  contains(text, "1,123 trainable parameters");
  contains(text, p.example_text);
}

TEST(Preflight, WarnsOfTruncationAndLowersTheLength) {
  const TinyWorld world;
  Recorder recorder;
  const auto cut = open_session(world.config("run", {"task.max_length=8"}), {}, recorder);
  const Preflight p = preflight(*cut);
  EXPECT_GT(p.sets[0].lengths.truncated, 4);
  ASSERT_FALSE(p.warnings.empty());
  contains(p.warnings[0], "cut to task.max_length 8");
  const auto lowered = open_session(world.config("run", {"task.max_length=300"}), {}, recorder);
  EXPECT_EQ(lowered->max_length, 32);
  contains(recorder.text, "lowered to 32");
}

TEST(OpenSession, ReportsWhatIsMissing) {
  const TinyWorld world;
  Recorder recorder;
  const auto error = [&](const std::vector<std::string>& overrides) {
    return test::user_error([&] { open_session(world.config("run", overrides), {}, recorder); });
  };
  contains(error({"model.path=''"}), "model.path");
  contains(error({"model.path=/nowhere"}), "/nowhere");
  contains(error({"task.data=/nowhere"}), "/nowhere");
  contains(test::user_error([&] { test::run(world.config("run", {"method=null"})); }), "method");
  contains(test::user_error([&] { test::run(world.config("run", {"task=null"})); }), "task");
}

}  // namespace
}  // namespace mixtune
