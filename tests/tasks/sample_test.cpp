#include "tasks/sample.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace mixtune {
namespace {

DataSet numbered(size_t count) {
  DataSet set{.name = "train"};
  for (size_t i = 0; i < count; ++i) {
    set.examples.push_back({.id = static_cast<int64_t>(i), .first = "text " + std::to_string(i)});
    set.ids_text.push_back("n" + std::to_string(i));
  }
  return set;
}

std::set<int64_t> ids_of(const DataSet& set) {
  std::set<int64_t> ids;
  for (const Example& example : set.examples) ids.insert(example.id);
  return ids;
}

TEST(Limit, KeepsThatManyInTheOrderOfTheFile) {
  DataSet set = numbered(1000);
  limit_examples(set, 100);
  ASSERT_EQ(set.examples.size(), 100u);
  for (size_t i = 0; i < 100; ++i) {
    EXPECT_EQ(set.ids_text[i], "n" + std::to_string(set.examples[i].id));
  }
  EXPECT_TRUE(std::is_sorted(set.examples.begin(), set.examples.end(),
                             [](const Example& a, const Example& b) { return a.id < b.id; }));
  EXPECT_GT(set.examples.back().id, 900);  // not simply the first ones
}

TEST(Limit, OfFewerIsASubsetOfTheLimitOfMore) {
  DataSet few = numbered(500), more = numbered(500);
  limit_examples(few, 20);
  limit_examples(more, 60);
  const auto small = ids_of(few), large = ids_of(more);
  EXPECT_TRUE(std::includes(large.begin(), large.end(), small.begin(), small.end()));
}

TEST(Limit, AboveTheNumberOfExamplesChangesNothing) {
  DataSet set = numbered(5);
  limit_examples(set, 6);
  EXPECT_EQ(set.examples.size(), 5u);
}

TEST(Split, HasTheShareAndLosesNothing) {
  const auto [train, dev] = split_by_text(numbered(1000), 0.1);
  EXPECT_EQ(dev.examples.size(), 100u);
  EXPECT_EQ(train.examples.size(), 900u);
  auto all = ids_of(train);
  all.merge(ids_of(dev));
  EXPECT_EQ(all.size(), 1000u);
}

TEST(Split, DoesNotDependOnTheOrderOfRows) {
  DataSet turned = numbered(200);
  std::reverse(turned.examples.begin(), turned.examples.end());
  turned.ids_text.clear();
  EXPECT_EQ(ids_of(split_by_text(turned, 0.2).second),
            ids_of(split_by_text(numbered(200), 0.2).second));
}

TEST(Split, KeepsEqualTextsOnOneSide) {
  DataSet set = numbered(50);
  for (size_t i = 0; i < 50; ++i) set.examples[i].first = "text " + std::to_string(i % 10);
  const auto [train, dev] = split_by_text(set, 0.3);
  std::set<std::string> left, right;
  for (const Example& example : train.examples) left.insert(example.first);
  for (const Example& example : dev.examples) right.insert(example.first);
  for (const std::string& text : right) EXPECT_FALSE(left.contains(text));
  EXPECT_EQ(left.size() + right.size(), 10u);
}

// FNV-1a of "a" is 0xaf63dc4c8601ec8c (published test vector); then the finalizer by hand (Python).
TEST(StableHash, NeverChanges) {
  EXPECT_EQ(stable_hash("a"), 0x2c0bdbf481420f8u);
  EXPECT_NE(stable_hash("text 1"), stable_hash("text 2"));
}

}  // namespace
}  // namespace mixtune
