// AppendedFile: an output that is written line by line and can be continued.
#include "cli/appended_file.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/file.h"
#include "support/paths.h"

namespace mixtune::test {
namespace {

TEST(AppendedFile, HasItsLinesBeforeItIsFinished) {
  const TemporaryFolder folder;
  AppendedFile file(folder / "a", "settings", ExistingFile::reject);
  EXPECT_TRUE(file.lines().empty());
  file.append("one\ntwo\n");
  EXPECT_EQ(read_file(folder / "a"), "one\ntwo\n");
  EXPECT_EQ(read_file(folder / "a.unfinished"), "settings");
  file.finish();
  EXPECT_FALSE(fs::exists(folder / "a.unfinished"));
  EXPECT_THROW(AppendedFile(folder / "a", "settings", ExistingFile::reject), UserError);
}

TEST(AppendedFile, ContinuesAfterItsLastCompleteLine) {
  const TemporaryFolder folder;
  AppendedFile(folder / "a", "settings", ExistingFile::reject).append("one\ntwo\nthr");
  EXPECT_THROW(AppendedFile(folder / "a", "others", ExistingFile::reject), UserError);
  AppendedFile file(folder / "a", "settings", ExistingFile::reject);
  EXPECT_EQ(file.lines(), (std::vector<std::string>{"one", "two"}));
  file.append("three\n");
  EXPECT_EQ(read_file(folder / "a"), "one\ntwo\nthree\n");
}

TEST(AppendedFile, StartsAgainIfItReplaces) {
  const TemporaryFolder folder;
  write_file_atomically(folder / "a", "finished\n");
  AppendedFile file(folder / "a", "settings", ExistingFile::replace);
  EXPECT_TRUE(file.lines().empty());
  EXPECT_EQ(read_file(folder / "a"), "");
}

TEST(AppendedFile, ReportsAPathThatCannotBeWritten) {
  const auto mistake = [](const fs::path& path, ExistingFile existing) -> std::string {
    try {
      const AppendedFile file(path, "settings", existing);
    } catch (const UserError& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_TRUE(mistake("/nowhere/a", ExistingFile::reject).starts_with("/nowhere/a: cannot be "));
  const TemporaryFolder folder;
  fs::create_directory(folder / "b");
  for (const ExistingFile existing : {ExistingFile::reject, ExistingFile::replace})
    EXPECT_TRUE(mistake(folder / "b", existing).ends_with("Name a file inside it."));
  EXPECT_FALSE(fs::exists(folder / "b.unfinished"));
  // For a link to a missing folder the marker can be written, but the file cannot be opened.
  fs::create_symlink("/nowhere/a", folder / "c");
  EXPECT_NE(mistake(folder / "c", ExistingFile::reject), "");
  EXPECT_FALSE(fs::exists(folder / "c.unfinished"));
}

}  // namespace
}  // namespace mixtune::test
