// The program that people start, as a process of its own: what it answers without libtorch, what it
// sets for the rest, and an installed tree that was moved.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdio>

#include "base/file.h"
#include "cli/run_cli.h"
#include "launcher/request.h"
#include "support/paths.h"

namespace mixtune::test {
namespace {

const fs::path kBuild = MIXTUNE_BINARY_DIR;

// A shell's command; what it prints is stdout and stderr together.
CliResult shell(const std::string& command) {
  CliResult result;
  FILE* const pipe =
      popen(("exec 2>&1; unset OMP_WAIT_POLICY GOMP_SPINCOUNT; " + command).c_str(), "r");
  EXPECT_NE(pipe, nullptr);
  char buffer[4096];
  while (const size_t count = std::fread(buffer, 1, sizeof buffer, pipe))
    result.out.append(buffer, count);
  const int status = pclose(pipe);
  result.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return result;
}

// The launcher alone in a folder, or with a mixtune-program that is this script.
class LonelyLauncher : public testing::Test {
 protected:
  LonelyLauncher() {
    fs::create_directories(folder_ / "bin");
    fs::copy_file(kBuild / "mixtune", folder_ / "bin/mixtune");
  }
  void add_program(const std::string& place, const std::string& script) const {
    fs::create_directories(folder_ / place);
    const fs::path program = folder_ / place / "mixtune-program";
    write_file_atomically(program, "#!/bin/sh\n" + script + "\n");
    fs::permissions(program, fs::perms::owner_all);
  }
  std::string launcher() const { return folder_ / "bin/mixtune"; }

  TemporaryFolder folder_;
};

TEST_F(LonelyLauncher, AnswersWithoutLibtorch) {
  EXPECT_EQ(shell(launcher() + " --version").out, version() + "\n");
  EXPECT_EQ(shell(launcher() + " -V").code, 0);
  const std::string overview = run_cli({"--help"}).out;
  for (const char* request : {" --help", " -h", " help"}) {
    const CliResult result = shell(launcher() + request);
    EXPECT_EQ(result.code, 0) << request;
    EXPECT_EQ(result.out, overview) << request;
  }
  const CliResult nothing = shell(launcher());
  EXPECT_EQ(nothing.code, 2);
  EXPECT_EQ(nothing.out, overview);
}

TEST_F(LonelyLauncher, NamesTheProgramThatIsMissing) {
  const CliResult result = shell(launcher() + " doctor");
  EXPECT_EQ(result.code, 2);
  EXPECT_TRUE(says(result.out, "mixtune-program is neither in " + (folder_ / "bin").string()))
      << result.out;
  EXPECT_EQ(result.out.find('\n') + 1, result.out.size()) << result.out;
  add_program("bin", "");
  fs::permissions(folder_ / "bin/mixtune-program", fs::perms::owner_read);
  const CliResult locked = shell(launcher() + " doctor");
  EXPECT_EQ(locked.code, 2);
  EXPECT_TRUE(says(locked.out, "Permission denied")) << locked.out;
}

TEST_F(LonelyLauncher, PassesArgumentsOnAndTheExitCodeBack) {
  add_program("libexec/mixtune", "for a; do echo \"[$a]\"; done; exit 130");
  fs::create_symlink(launcher(), folder_ / "link");
  for (const std::string& program : {launcher(), (folder_ / "link").string()}) {
    const CliResult result = shell(program + " train 'two words' ''");
    EXPECT_EQ(result.code, 130);
    EXPECT_EQ(result.out, "[train]\n[two words]\n[]\n");
  }
  add_program("bin", "echo beside");
  EXPECT_EQ(shell(launcher() + " train").out, "beside\n");
}

TEST_F(LonelyLauncher, SignalsReachTheProgramItself) {
  add_program("bin", "kill -TERM $$");
  EXPECT_EQ(shell("exec " + launcher() + " train").code, 128 + SIGTERM);
}

TEST_F(LonelyLauncher, LetsWaitingThreadsSleepUnlessToldOtherwise) {
  add_program("bin", "echo \"$OMP_WAIT_POLICY,$GOMP_SPINCOUNT\"");
  const std::string command = launcher() + " train";
  EXPECT_NE(shell(command).out, ",\n");
  EXPECT_EQ(shell("OMP_WAIT_POLICY=active " + command).out, "active,\n");
  EXPECT_EQ(shell("GOMP_SPINCOUNT=7 " + command).out, ",7\n");
}

TEST_F(LonelyLauncher, AReaderThatIsGoneIsNotSuccess) {
  EXPECT_EQ(shell(launcher() + " --help > /dev/full").code, 2);
}

TEST(ProgramRequests, AreThoseOfTheProgramAsAWhole) {
  EXPECT_EQ(request_of({"help", "train"}), ProgramRequest::command);
  EXPECT_EQ(request_of({"train", "--help"}), ProgramRequest::command);
  EXPECT_EQ(request_of({"--versoin"}), ProgramRequest::command);
}

// The recipes are those of the moved tree, not those of the sources that were built.
TEST(Install, ATreeThatWasMovedFindsItsRecipesAndCanBeUninstalled) {
  const TemporaryFolder folder;
  const std::string tree = folder / "first/place", moved = folder / "second";
  const CliResult installed =
      shell("cmake --install '" + kBuild.string() + "' --prefix '" + tree + "'");
  ASSERT_EQ(installed.code, 0) << installed.out;
  fs::rename(tree, moved);
  fs::create_directories(folder / "elsewhere");
  const CliResult config = shell("cd '" + (folder / "elsewhere").string() + "' && PATH='" + moved +
                                 "/bin':\"$PATH\" mixtune config lora e2e/small-molex");
  EXPECT_EQ(config.code, 0) << config.out;
  EXPECT_TRUE(says(config.out, moved + "/share/mixtune/recipes/e2e/small-molex.yaml"))
      << config.out;
  EXPECT_TRUE(says(config.out, moved + "/share/mixtune/models/tiny-gpt2")) << config.out;
  write_file_atomically(moved + "/share/mixtune/recipes/mine.yaml", "train: {seed: 1}\n");
  const CliResult gone =
      shell("make -s -C '" + source_dir().string() + "' uninstall PREFIX='" + moved + "'");
  EXPECT_EQ(gone.code, 0) << gone.out;
  std::vector<std::string> left;
  for (const auto& entry : fs::recursive_directory_iterator(moved))
    if (!entry.is_directory()) left.push_back(entry.path().filename());
  EXPECT_EQ(left, (std::vector<std::string>{"mine.yaml"}));
}

}  // namespace
}  // namespace mixtune::test
