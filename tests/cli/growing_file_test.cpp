// A file that grows line by line, and goes on where it was left.
#include "cli/growing_file.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/file.h"
#include "support/paths.h"

namespace mixtune::test {
namespace {

TEST(GrowingFile, HoldsItsLinesBeforeItIsFinished) {
  const TemporaryFolder folder;
  GrowingFile file(folder / "a", "settings", ExistingFile::refuse);
  EXPECT_TRUE(file.lines().empty());
  file.append("one\ntwo\n");
  EXPECT_EQ(read_file(folder / "a"), "one\ntwo\n");
  EXPECT_EQ(read_file(folder / "a.unfinished"), "settings");
  file.finish();
  EXPECT_FALSE(fs::exists(folder / "a.unfinished"));
  EXPECT_THROW(GrowingFile(folder / "a", "settings", ExistingFile::refuse), UserError);
}

TEST(GrowingFile, GoesOnBehindItsLastWholeLine) {
  const TemporaryFolder folder;
  GrowingFile(folder / "a", "settings", ExistingFile::refuse).append("one\ntwo\nthr");
  EXPECT_THROW(GrowingFile(folder / "a", "others", ExistingFile::refuse), UserError);
  GrowingFile file(folder / "a", "settings", ExistingFile::refuse);
  EXPECT_EQ(file.lines(), (std::vector<std::string>{"one", "two"}));
  file.append("three\n");
  EXPECT_EQ(read_file(folder / "a"), "one\ntwo\nthree\n");
}

TEST(GrowingFile, BeginsAnewWhenAsked) {
  const TemporaryFolder folder;
  write_file_atomically(folder / "a", "finished\n");
  GrowingFile file(folder / "a", "settings", ExistingFile::replace);
  EXPECT_TRUE(file.lines().empty());
  EXPECT_EQ(read_file(folder / "a"), "");
}

TEST(GrowingFile, SaysWhereItCannotBeWritten) {
  const auto mistake = [](const fs::path& path, ExistingFile existing) -> std::string {
    try {
      const GrowingFile file(path, "settings", existing);
    } catch (const UserError& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_TRUE(mistake("/nowhere/a", ExistingFile::refuse).starts_with("/nowhere/a: cannot be "));
  const TemporaryFolder folder;
  fs::create_directory(folder / "b");
  for (const ExistingFile existing : {ExistingFile::refuse, ExistingFile::replace})
    EXPECT_TRUE(mistake(folder / "b", existing).ends_with("Name a file inside it."));
  EXPECT_FALSE(fs::exists(folder / "b.unfinished"));
  // A link into nowhere can be marked and not opened.
  fs::create_symlink("/nowhere/a", folder / "c");
  EXPECT_NE(mistake(folder / "c", ExistingFile::refuse), "");
  EXPECT_FALSE(fs::exists(folder / "c.unfinished"));
}

}  // namespace
}  // namespace mixtune::test
