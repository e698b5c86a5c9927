#include "base/file.h"

#include <gtest/gtest.h>

#include <fstream>

#include "base/error.h"
#include "base/json.h"
#include "support/paths.h"

namespace mixtune {
namespace {

TEST(File, IsReplacedWholeOrNotAtAll) {
  test::TemporaryFolder folder;
  write_file_atomically(folder / "a", "old");
  EXPECT_THROW(write_file_atomically(folder / "a",
                                     [](const ByteSink& sink) {
                                       sink("ne", 2);
                                       throw std::runtime_error("disk");
                                     }),
               std::runtime_error);
  EXPECT_EQ(read_file(folder / "a"), "old");
  EXPECT_EQ(std::distance(test::fs::directory_iterator(folder.path()), {}), 1);
  write_file_atomically(folder / "a", "new");
  EXPECT_EQ(read_file(folder / "a"), "new");
}

TEST(File, ErrorsNameThePath) {
  test::TemporaryFolder folder;
  EXPECT_THROW(read_file(folder / "absent"), UserError);
  EXPECT_THROW(read_file(folder.path()), UserError);
  EXPECT_THROW(write_file_atomically(folder / "absent" / "a", "x"), UserError);
  write_file_atomically(folder / "a", "x");
  EXPECT_THROW(create_folder(folder / "a" / "b"), UserError);
}

TEST(JsonText, ErrorsHaveLineAndColumn) {
  EXPECT_EQ(parse_json("{\"a\": [1, 2]}", "f")["a"][1], 2);
  try {
    parse_json("{\n  \"a\": x}", "f");
    FAIL();
  } catch (const UserError& error) {
    EXPECT_EQ(error.where(), "f:2:8");
  }
  EXPECT_THROW(parse_json(std::string(1000, '['), "f"), UserError);
  EXPECT_THROW(parse_json("", "f"), UserError);
}

TEST(JsonText, RejectsRepeatedKeysInStrictMode) {
  EXPECT_EQ(parse_json("{\"a\": 1, \"a\": 2}", "f")["a"], 2);
  EXPECT_THROW(parse_strict_json("{\"a\": 1, \"a\": 2}", "f"), UserError);
  EXPECT_THROW(parse_ordered_json("{\"b\": [{\"a\": 1, \"a\": {}}]}", "f"), UserError);
  EXPECT_EQ(parse_strict_json("{\"a\": {\"a\": 1}, \"b\": {\"a\": 2}}", "f")["b"]["a"], 2);
  EXPECT_EQ(parse_ordered_json("{\"b\": 1, \"a\": 2}", "f").dump(), "{\"b\":1,\"a\":2}");
  std::string many = "{\"k\":0";
  for (int i = 0; i < 10'000; ++i) many += ",\"" + std::to_string(i) + "\":0";
  many += '}';
  EXPECT_EQ(parse_strict_json(many, "f").size(), 10'001u);
  EXPECT_THROW(parse_ordered_json(many, "f"), UserError);
}

}  // namespace
}  // namespace mixtune
