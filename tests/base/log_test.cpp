#include "base/log.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/file.h"
#include "support/paths.h"

namespace mixtune {
namespace {

TEST(Log, WritesLinesToItsStreamAndItsFile) {
  test::TemporaryFolder folder;
  std::FILE* stream = std::fopen((folder / "stream").c_str(), "w");
  {
    Log log(stream);
    log.info("first");
    log.open_file(folder / "log.txt");
    log.warn("second");
  }
  std::fclose(stream);
  EXPECT_EQ(read_file(folder / "stream"), "first\nwarning: second\n");
  EXPECT_EQ(read_file(folder / "log.txt"), "warning: second\n");
}

TEST(Log, AppendsToAnExistingFile) {
  test::TemporaryFolder folder;
  for (const char* line : {"one", "two"}) {
    Log log(nullptr);
    log.open_file(folder / "log.txt");
    log.info(line);
  }
  EXPECT_EQ(read_file(folder / "log.txt"), "one\ntwo\n");
  Log log(nullptr);
  EXPECT_THROW(log.open_file(folder / "absent" / "log.txt"), UserError);
}

}  // namespace
}  // namespace mixtune
