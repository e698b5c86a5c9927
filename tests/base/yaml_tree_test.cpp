#include "base/yaml_tree.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace mixtune {
namespace {

std::string error_of(const std::string& yaml) {
  try {
    parse_yaml(yaml, "a.yaml");
  } catch (const UserError& error) {
    return error.what();
  }
  return "no error";
}

void expect_error(const std::string& yaml, const std::string& start) {
  EXPECT_EQ(error_of(yaml).substr(0, start.size()), start) << yaml.substr(0, 100);
}

TEST(YamlTree, HasKindsLinesAndQuotes) {
  const YamlNode root = parse_yaml("a: 1\nb:\n  - \"2\"\n  - ~\nc: {d: text}\ne: !!str 5\n", "f");
  EXPECT_EQ(root.kind, YamlNode::Kind::map);
  EXPECT_EQ(root.find("a")->origin, "f:1");
  EXPECT_FALSE(root.find("a")->quoted);
  EXPECT_EQ(root.find("b")->origin, "f:2");
  EXPECT_TRUE(root.find("b")->items[0].quoted);
  EXPECT_EQ(root.find("b")->items[0].origin, "f:3");
  EXPECT_EQ(root.find("b")->items[1].kind, YamlNode::Kind::null);
  EXPECT_EQ(root.find("c")->find("d")->text, "text");
  EXPECT_TRUE(root.find("e")->quoted);
  EXPECT_EQ(root.find("z"), nullptr);
}

TEST(YamlTree, OfAnEmptyTextIsNull) {
  EXPECT_EQ(parse_yaml("", "f").kind, YamlNode::Kind::null);
  EXPECT_EQ(parse_yaml("# only a comment\n", "f").kind, YamlNode::Kind::null);
}

TEST(YamlTree, CopiesAliasedNodesWithTheLineOfTheAnchor) {
  const YamlNode root = parse_yaml("a: &x {k: 1}\nb: *x\nc: &y 3\nd: [*y, *y]\n", "f");
  EXPECT_EQ(root.find("b")->find("k")->text, "1");
  EXPECT_EQ(root.find("b")->find("k")->origin, "f:1");
  EXPECT_EQ(root.find("d")->items[1].text, "3");
}

TEST(YamlTree, SpellsNodesOnOneLine) {
  EXPECT_EQ(parse_yaml("a: |\n  x\n", "f").find("a")->text, "x\n");
  const YamlNode root = parse_yaml("a:\n - 1\n - \"2\"\n -\n - {b: c}\n", "f");
  EXPECT_EQ(flow_spelling(root), "{a: [1, \"2\", null, {b: c}]}");
}

TEST(YamlTree, RejectsARepeatedKey) {
  expect_error("a: 1\nb: 2\na: 3\n", "a.yaml:3: repeats the key a.");
  expect_error("x: {a: 1, a: 2}", "a.yaml:1: repeats the key a.");
}

TEST(YamlTree, RejectsBrokenYamlWithItsLine) {
  expect_error("a: 1\nb: [1, 2\n", "a.yaml:2: is not valid YAML");
  for (const char* text : {"a: \"x", "a: \"x\n", "a: 'x\nb: 1\n", "a: \"x\n b: 1\n", "a: [\"x\n"})
    EXPECT_NE(error_of(text).find("is not valid YAML"), std::string::npos) << text;
  expect_error("a: 1\n  b: 2\n", "a.yaml:2: is not valid YAML");
  expect_error("a: *nowhere", "a.yaml:1: is not valid YAML");
  expect_error("a: 1\n\tb: 2", "a.yaml:");
}

TEST(YamlTree, RejectsKeysThatAreNotNames) {
  expect_error("{[1]: 2}", "a.yaml:1: has a key that is not a name");
  expect_error("? {a: 1}\n: 2\n", "a.yaml:1: has a key that is not a name");
}

TEST(YamlTree, RejectsTagsAndSecondDocuments) {
  expect_error("a: !!python/object 1", "a.yaml:1: has the tag");
  expect_error("a: !!map {}", "a.yaml:1: has the tag");
  expect_error("a: 1\n---\nb: 2\n", "a.yaml: holds more than one YAML document");
}

TEST(YamlTree, RejectsBytesThatAreNotText) {
  expect_error("a: 1\nb: \xff\n", "a.yaml:2: holds a byte that is not UTF-8 text");
  expect_error(std::string("a: 1\nb: \0", 9), "a.yaml:2: holds a byte");
}

TEST(YamlTree, RejectsDeepNestingAndHugeFiles) {
  expect_error(std::string(65, '['), "a.yaml:1: nests deeper than 64 levels");
  expect_error(std::string(100'000, '['), "a.yaml:1: ");
  expect_error(std::string(2 << 20, 'a'), "a.yaml: is larger than 1 MiB");
}

TEST(YamlTree, RejectsAliasBombs) {
  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 30; ++i) {
    bomb += fmt::format("a{0}: &a{0} [*a{1}", i, i - 1);
    for (int j = 0; j < 9; ++j) bomb += fmt::format(", *a{}", i - 1);
    bomb += "]\n";
  }
  expect_error(bomb, "a.yaml:5: holds more than 100000 values");
  expect_error("a: &a [*a]", "a.yaml:1: refers to an anchor that contains it");
  std::string chain = "a0: &a0 [x]\n";
  for (int i = 1; i < 100; ++i) chain += fmt::format("a{0}: &a{0} [*a{1}]\n", i, i - 1);
  EXPECT_NE(error_of(chain).find("nests deeper"), std::string::npos);
}

TEST(TypedValue, IsYamlWhereItCanBeAndTextOtherwise) {
  EXPECT_EQ(parse_typed_value("[1, 2]", "command line").items.size(), 2u);
  EXPECT_EQ(parse_typed_value("[1, 2]", "command line").items[1].origin, "command line");
  EXPECT_EQ(parse_typed_value("[1", "command line").text, "[1");
  EXPECT_EQ(parse_typed_value("", "command line").kind, YamlNode::Kind::null);
  EXPECT_THROW(parse_typed_value("\xff", "command line"), UserError);
}

}  // namespace
}  // namespace mixtune
