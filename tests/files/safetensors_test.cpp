#include "files/safetensors.h"

#include <gtest/gtest.h>

#include <cstring>

#include "files/raw_file.h"

namespace mixtune::test {
namespace {

// Opens a file of these bytes.
std::string error_of(const std::string& content) {
  TemporaryFolder folder;
  write_file_atomically(folder / "f", content);
  return error_line(folder, [&] { SafetensorsFile::open(folder / "f"); });
}

void expect_error(const std::string& content, const std::string& part) {
  const std::string line = error_of(content);
  EXPECT_NE(line.find(part), std::string::npos) << "expected: " << part << "\ngot: " << line;
}

// A file of one tensor "a", F32 [2], with one part of its entry replaced.
void expect_entry_error(const std::string& entry, const std::string& part, size_t data_bytes = 8) {
  expect_error(raw_safetensors("{\"a\":" + entry + "}", data_bytes), part);
}

std::vector<float> floats(std::span<const std::byte> bytes) {
  std::vector<float> out(bytes.size() / sizeof(float));
  std::memcpy(out.data(), bytes.data(), bytes.size());
  return out;
}

TEST(Safetensors, ReadsWhatTheReferenceWrote) {
  const auto file = SafetensorsFile::open(source_dir() / "tests/files/reference.safetensors");
  EXPECT_EQ(file.names(),
            (std::vector<std::string>{"a", "b", "empty", "half", "\xc3\xa9\"", "flag"}));
  EXPECT_EQ(file.metadata(), (std::map<std::string, std::string>{{"format", "pt"}, {"note", "x"}}));
  EXPECT_EQ(file.info("a").dtype, DType::I64);
  EXPECT_TRUE(file.info("a").shape.empty());
  EXPECT_EQ(file.info("b").shape, (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(floats(file.bytes("b")), (std::vector<float>{-0.5, -0.25, 0, 0.25, 0.5, 0.75}));
  EXPECT_EQ(file.info("empty").shape, (std::vector<int64_t>{0, 3}));
  EXPECT_TRUE(file.bytes("empty").empty());
  EXPECT_EQ(file.info("half").dtype, DType::F16);
  EXPECT_EQ(file.info("flag").dtype, DType::BOOL);
  EXPECT_EQ(file.bytes("flag")[2], std::byte{1});
}

TEST(Safetensors, DataOutlivesTheReader) {
  std::shared_ptr<const Mapping> mapping;
  std::span<const std::byte> bytes;
  {
    const auto file = SafetensorsFile::open(source_dir() / "tests/files/reference.safetensors");
    mapping = file.mapping();
    bytes = file.bytes("b");
  }
  EXPECT_EQ(floats(bytes)[5], 0.75f);
}

TEST(Safetensors, ReadsUnalignedData) {
  TemporaryFolder folder;
  const std::string header =
      "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
      "\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[1,5]}}";
  write_file_atomically(folder / "f", raw_safetensors(header + "  ", 5));
  const auto file = SafetensorsFile::open(folder / "f");
  EXPECT_EQ(file.bytes("b")[0], std::byte{1});
  EXPECT_TRUE(file.metadata().empty());
}

TEST(Safetensors, ReadsAFileWithoutTensors) {
  EXPECT_EQ(error_of(raw_safetensors("{}", 0)), "no error");
  EXPECT_EQ(error_of(raw_safetensors("{\"__metadata__\":{}}", 0)), "no error");
}

TEST(Safetensors, NamesTheNearestTensors) {
  const auto file = SafetensorsFile::open(source_dir() / "tests/files/reference.safetensors");
  try {
    file.info("emptyy");
    FAIL();
  } catch (const UserError& error) {
    EXPECT_EQ(error.found(), "has no tensor \"emptyy\"");
    EXPECT_EQ(error.todo(), "Nearest: empty.");
  }
  EXPECT_EQ(file.find("zzz"), nullptr);
}

TEST(Safetensors, RejectsTruncatedFiles) {
  expect_error("", "f: is empty");
  expect_error("1234567", "has 7 bytes; expected at least 8");
  expect_error(raw_safetensors("{}", 0).substr(0, 9),
               "gives a header size of 2 bytes; the file has only 9");
  const std::string whole = read_file(source_dir() / "tests/files/reference.safetensors");
  for (size_t length = 0; length < whole.size(); ++length)
    EXPECT_NE(error_of(whole.substr(0, length)), "no error") << length;
  expect_error(whole + '\0', "has 43 bytes of data, of which tensors cover 42");
}

TEST(Safetensors, CapsTheHeader) {
  expect_error(std::string(8, '\xff'), "gives a header size of 18446744073709551615 bytes");
  std::string large(8, '\0');
  const uint64_t length = 100'000'001;
  std::memcpy(large.data(), &length, 8);
  expect_error(large, "expected at most 100000000");
}

TEST(Safetensors, RejectsAHeaderThatIsNotAJsonObject) {
  expect_error(raw_safetensors("", 0), "does not begin with '{'");
  expect_error(raw_safetensors("[]", 0), "does not begin with '{'");
  expect_error(raw_safetensors(" {}", 0), "does not begin with '{'");
  expect_error(raw_safetensors("{", 0), "not valid JSON");
  expect_error(raw_safetensors("{} x", 0), "not valid JSON");
  expect_error(raw_safetensors("{\"a\" 1}", 0), "not valid JSON");
  expect_error(raw_safetensors("{\"\xff\":{}}", 0), "not UTF-8");
  expect_error(raw_safetensors("{\"\\ud800\":{}}", 0), "not valid JSON");
}

TEST(Safetensors, RejectsDeepNesting) {
  expect_error(raw_safetensors("{\"a\":" + std::string(1'000'000, '['), 0),
               "is a list; expected an object");
  std::string deep = "{";
  for (int i = 0; i < 100'000; ++i) deep += "\"a\":{";
  expect_error(raw_safetensors(deep, 0), "has the key \"a\"");
}

TEST(Safetensors, RejectsRepeatedKeys) {
  const std::string entry = "{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}";
  expect_error(raw_safetensors("{\"a\":" + entry + ",\"a\":" + entry + "}", 1),
               "repeats the name \"a\"");
  expect_error(raw_safetensors("{\"__metadata__\":{},\"__metadata__\":{}}", 0), "repeats the name");
  expect_error(raw_safetensors("{\"__metadata__\":{\"k\":\"1\",\"k\":\"1\"}}", 0),
               "repeats the key \"k\"");
  expect_entry_error("{\"dtype\":\"U8\",\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}",
                     "tensor \"a\" repeats the key dtype");
}

TEST(Safetensors, RejectsMetadataThatIsNotText) {
  expect_error(raw_safetensors("{\"__metadata__\":{\"k\":1}}", 0), "has a number under \"k\"");
  expect_error(raw_safetensors("{\"__metadata__\":{\"k\":null}}", 0), "has null");
  expect_error(raw_safetensors("{\"__metadata__\":{\"k\":{}}}", 0), "has an object");
  expect_error(raw_safetensors("{\"__metadata__\":\"x\"}", 0), "is a string; expected an object");
}

TEST(Safetensors, RejectsEntriesOfTheWrongForm) {
  expect_entry_error("3", "\"a\" is a number; expected an object");
  expect_entry_error("{}", "lacks dtype, shape or two data_offsets");
  expect_entry_error("{\"dtype\":\"F32\",\"shape\":[2]}", "lacks dtype");
  expect_entry_error("{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0]}", "lacks dtype");
  expect_entry_error("{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8,9]}", "more than two");
  expect_entry_error("{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8],\"x\":1}",
                     "has the key \"x\"");
  expect_entry_error("{\"dtype\":4,\"shape\":[2],\"data_offsets\":[0,8]}", "a number in dtype");
  expect_entry_error("{\"dtype\":[\"F32\"],\"shape\":[2],\"data_offsets\":[0,8]}",
                     "a list in dtype");
}

TEST(Safetensors, RejectsUnknownAndPackedTypes) {
  expect_entry_error("{\"dtype\":\"F33\",\"shape\":[2],\"data_offsets\":[0,8]}",
                     "unknown dtype \"F33\"");
  expect_entry_error("{\"dtype\":\"f32\",\"shape\":[2],\"data_offsets\":[0,8]}",
                     "unknown dtype \"f32\"");
  for (const char* name : {"F4", "F6_E2M3", "F6_E3M2"})
    expect_entry_error(
        "{\"dtype\":\"" + std::string(name) + "\",\"shape\":[16],\"data_offsets\":[0,8]}",
        "packs several elements into a byte. Convert it");
}

TEST(Safetensors, RejectsWrongShapes) {
  const auto shape = [](const std::string& text, const std::string& part) {
    expect_entry_error("{\"dtype\":\"F32\",\"shape\":" + text + ",\"data_offsets\":[0,8]}", part);
  };
  shape("[-2]", "has -2 in shape");
  shape("[2.0]", "has 2.0 in shape");
  shape("[2.5]", "has 2.5 in shape");
  shape("[1e400]", "");
  shape("[\"2\"]", "has a string in shape");
  shape("[[2]]", "has a list in shape");
  shape("[null]", "has null in shape");
  shape("[true]", "has true or false in shape");
  shape("2", "has a number in shape");
  shape("[3]", "has 8 bytes; expected 12 from its shape and dtype");
  shape("[]", "has 8 bytes; expected 4");
  shape("[2,0]", "has 8 bytes; expected 0");
  shape("[18446744073709551615]", "a dimension that is too large");
  shape("[99999999999999999999]", "in shape");
  shape("[4294967296,4294967296]", "a shape whose size overflows");
  shape("[4611686018427387904]", "a shape whose size overflows");
  shape("[4611686018427387904,2,0]", "a shape whose size overflows");
}

TEST(Safetensors, RejectsWrongOffsets) {
  const auto offsets = [](const std::string& text, const std::string& part) {
    expect_entry_error("{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":" + text + "}", part);
  };
  offsets("[8,0]", "in descending order: 8 to 0");
  offsets("[0,16]", "is at bytes 0 to 16; the file has only 8 bytes of data");
  offsets("[18446744073709551608,18446744073709551615]", "is at bytes");
  offsets("[-8,0]", "has -8 in data_offsets");
  offsets("[0.0,8]", "has 0.0 in data_offsets");
}

TEST(Safetensors, RejectsGapsOverlapsAndUncoveredData) {
  const auto pair = [](const std::string& a, const std::string& b, size_t bytes,
                       const std::string& part) {
    expect_error(
        raw_safetensors("{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":" + a +
                            "},\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":" + b + "}}",
                        bytes),
        part);
  };
  pair("[0,2]", "[3,5]", 5, "tensor \"b\" begins at byte 3; expected 2 (a gap)");
  pair("[0,2]", "[1,3]", 3,
       "tensor \"b\" begins at byte 1; expected 2 (it overlaps another tensor)");
  pair("[0,2]", "[0,2]", 2, "overlaps");
  pair("[1,3]", "[3,5]", 5, "tensor \"a\" begins at byte 1; expected 0 (a gap)");
  pair("[2,4]", "[0,2]", 5, "has 5 bytes of data, of which tensors cover 4");
  pair("[2,4]", "[0,2]", 4, "no error");
  expect_error(raw_safetensors("{}", 3), "of which tensors cover 0");
}

TEST(Safetensors, RejectsPathsThatAreNotFiles) {
  TemporaryFolder folder;
  EXPECT_EQ(error_line(folder, [&] { SafetensorsFile::open(folder / "absent"); }),
            "absent: cannot be read (No such file or directory). Check the path.");
  EXPECT_THROW(SafetensorsFile::open(folder.path()), UserError);
  EXPECT_THROW(SafetensorsFile::open("/dev/null"), UserError);
}

TEST(DTypes, HaveNamesAndSizes) {
  const std::map<std::string, size_t> sizes = {
      {"F64", 8}, {"F32", 4}, {"F16", 2}, {"BF16", 2}, {"F8_E4M3", 1}, {"F8_E5M2", 1},
      {"C64", 8}, {"I64", 8}, {"I32", 4}, {"I16", 2},  {"I8", 1},      {"F8_E8M0", 1},
      {"U64", 8}, {"U32", 4}, {"U16", 2}, {"U8", 1},   {"BOOL", 1}};
  for (const auto& [name, bytes] : sizes) {
    const auto dtype = dtype_from_name(name);
    ASSERT_TRUE(dtype.has_value()) << name;
    EXPECT_EQ(dtype_name(*dtype), name);
    EXPECT_EQ(dtype_bytes(*dtype), bytes);
  }
}

TEST(WriteSafetensors, IsReadBackTheSame) {
  TemporaryFolder folder;
  const std::vector<float> b = {1.5f, -2};
  const int64_t scalar = -7;
  const char flag = 1;
  const std::vector<TensorToWrite> tensors = {
      {.name = "flag\"\xc3\xa9", .dtype = DType::BOOL, .shape = {1}, .data = &flag, .bytes = 1},
      {.name = "b", .dtype = DType::F32, .shape = {2, 1}, .data = b.data(), .bytes = 8},
      {.name = "none", .dtype = DType::F32, .shape = {0, 4}},
      {.name = "a", .dtype = DType::I64, .shape = {}, .data = &scalar, .bytes = 8}};
  write_safetensors(folder / "f", tensors, {{"note", "x\n"}});
  const auto file = SafetensorsFile::open(folder / "f");
  EXPECT_EQ(file.names(), (std::vector<std::string>{"a", "b", "none", "flag\"\xc3\xa9"}));
  EXPECT_EQ(file.metadata(),
            (std::map<std::string, std::string>{{"format", "pt"}, {"note", "x\n"}}));
  EXPECT_EQ(floats(file.bytes("b")), b);
  EXPECT_EQ(file.info("b").shape, (std::vector<int64_t>{2, 1}));
  EXPECT_EQ(file.bytes("flag\"\xc3\xa9")[0], std::byte{1});
  EXPECT_EQ(reinterpret_cast<uintptr_t>(file.bytes("a").data()) % 8, 0u);

  auto reversed = tensors;
  std::reverse(reversed.begin(), reversed.end());
  write_safetensors(folder / "g", reversed, {{"note", "x\n"}});
  EXPECT_EQ(read_file(folder / "f"), read_file(folder / "g"));
}

TEST(WriteSafetensors, WritesTheExactBytesOfTheFormat) {
  TemporaryFolder folder;
  const uint8_t data[2] = {65, 66};
  write_safetensors(folder / "f",
                    {{.name = "x", .dtype = DType::U8, .shape = {2}, .data = data, .bytes = 2}});
  const std::string header =
      "{\"__metadata__\":{\"format\":\"pt\"},\"x\":{\"dtype\":\"U8\",\"shape\":[2],\"data_"
      "offsets\":[0,2]}}";
  ASSERT_EQ(header.size(), 84u);
  EXPECT_EQ(read_file(folder / "f"), std::string("\x58\0\0\0\0\0\0\0", 8) + header + "    AB");
}

TEST(WriteSafetensors, TreatsWrongInputAsABug) {
  TemporaryFolder folder;
  const uint8_t data[4] = {};
  const TensorToWrite good{.name = "x", .dtype = DType::U8, .shape = {4}, .data = data, .bytes = 4};
  TensorToWrite wrong_bytes = good, reserved = good, negative = good, not_utf8 = good;
  wrong_bytes.bytes = 3;
  reserved.name = "__metadata__";
  negative.shape = {-4};
  not_utf8.name = "\xff";
  EXPECT_THROW(write_safetensors(folder / "f", {good, good}), BugError);
  for (const auto& tensor : {wrong_bytes, reserved, negative, not_utf8})
    EXPECT_THROW(write_safetensors(folder / "f", {tensor}), BugError);
  EXPECT_FALSE(fs::exists(folder / "f"));
}

}  // namespace
}  // namespace mixtune::test
