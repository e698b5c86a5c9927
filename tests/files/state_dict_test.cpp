#include "files/state_dict.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "support/state_dict_pickle.h"

namespace mixtune::test {
namespace {

using std::string_literals::operator""s;

TEST(StateDict, HasTheTensorsOfTorchSave) {
  const std::vector<PickledTensor> read = read_state_dict(state_dict_pickle(), "here");
  ASSERT_EQ(read.size(), 2u);
  EXPECT_EQ(read[0].name, "weight");
  EXPECT_EQ(read[0].key, "0");
  EXPECT_EQ(read[0].type, DType::F32);
  EXPECT_EQ(read[0].elements, 6);
  EXPECT_EQ(read[0].sizes, (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(read[0].strides, (std::vector<int64_t>{3, 1}));
  EXPECT_EQ(read[1].name, "bias");
  EXPECT_EQ(read[1].key, "1");
  EXPECT_EQ(read[1].sizes, (std::vector<int64_t>{2}));
}

std::string error_of_pickle(const std::string& pickle) {
  try {
    read_state_dict(pickle, "here");
  } catch (const UserError& error) {
    return error.what();
  }
  return "no error";
}

// A file that is truncated or changed anywhere is either read or rejected with an error.
TEST(StateDict, DamagedFilesAreReadOrRejected) {
  const std::string whole = state_dict_pickle();
  for (size_t length = 0; length < whole.size(); ++length)
    EXPECT_NE(error_of_pickle(whole.substr(0, length)), "no error") << length;
  int rejected = 0;
  for (size_t at = 0; at < whole.size(); ++at)
    for (const int bits : {0x01, 0x20, 0x80, 0xff}) {
      std::string changed = whole;
      changed[at] = static_cast<char>(changed[at] ^ bits);
      rejected += error_of_pickle(changed) != "no error";
    }
  EXPECT_GT(rejected, 500);
}

TEST(StateDict, RejectsEverythingButData) {
  const std::string whole = state_dict_pickle();
  const auto with = [&](const std::string& old, const std::string& now) {
    std::string out = whole;
    return out.replace(out.find(old), old.size(), now);
  };
  EXPECT_NE(error_of_pickle("\x80\x02"
                            "cos\nsystem\n.")
                .find("refers to os.system"),
            std::string::npos);
  EXPECT_NE(error_of_pickle(with("collections\nOrderedDict", "builtins\neval"))
                .find("refers to builtins.eval"),
            std::string::npos);
  EXPECT_NE(error_of_pickle(with("K\x02K\x03\x86", "K\x03K\x03\x86")).find("larger than its data"),
            std::string::npos);
  EXPECT_NE(error_of_pickle(with("K\x02K\x03\x86", "K\x02J\xff\xff\xff\xff\x86")).find("damaged"),
            std::string::npos);
  EXPECT_NE(error_of_pickle("N.").find("is not a dictionary"), std::string::npos);
  EXPECT_NE(error_of_pickle("i.").find("a pickle opcode that no state_dict has"),
            std::string::npos);
  EXPECT_TRUE(read_state_dict("\x80\x02}.", "here").empty());
  EXPECT_NE(error_of_pickle(with("K\x03K\x01\x86", "K\x00K\x00\x86"s)
                                .replace(whole.find("K\x02K\x03\x86"), 5, "K\x7fK\x7f\x86"))
                .find("larger than its data"),
            std::string::npos);
  // Strides whose product overflows 64 bits.
  const std::string huge = "\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f";
  EXPECT_NE(
      error_of_pickle(with("K\x03K\x01\x86", huge + "K\x01\x86")).find("larger than its data"),
      std::string::npos);
}

}  // namespace
}  // namespace mixtune::test
