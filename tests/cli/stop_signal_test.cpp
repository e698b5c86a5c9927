#include "cli/stop_signal.h"

#include <gtest/gtest.h>

#include <csignal>
#include <thread>

namespace mixtune {
namespace {

TEST(StopSignal, TheFirstSignalSetsTheFlag) {
  const StopSignal stop;
  EXPECT_FALSE(*stop.flag());
  testing::internal::CaptureStderr();
  std::raise(SIGINT);
  const std::string output = testing::internal::GetCapturedStderr();
  EXPECT_TRUE(*stop.flag());
  EXPECT_NE(output.find("stopping after this step"), std::string::npos);
}

TEST(StopSignal, PrintsWhatTheProgramDoesNext) {
  const StopSignal stop("stopping after this token");
  testing::internal::CaptureStderr();
  std::raise(SIGINT);
  EXPECT_EQ(testing::internal::GetCapturedStderr(),
            "\nstopping after this token; interrupt again to stop immediately\n");
}

TEST(StopSignal, ASignalThatIsSentTwiceCountsOnce) {
  const StopSignal stop;
  testing::internal::CaptureStderr();
  std::raise(SIGTERM);
  std::raise(SIGTERM);
  testing::internal::GetCapturedStderr();
  EXPECT_TRUE(*stop.flag());
}

TEST(StopSignal, EachStartsWithoutARequest) {
  {
    const StopSignal stop;
    testing::internal::CaptureStderr();
    std::raise(SIGINT);
    testing::internal::GetCapturedStderr();
  }
  EXPECT_FALSE(*StopSignal().flag());
}

// Replaces a regular expression: Oniguruma's regcomp hides that of the C library, whose regexec the
// sanitizers call.
class Contains final : public testing::MatcherInterface<const std::string&> {
 public:
  explicit Contains(std::string words) : words_(std::move(words)) {}
  bool MatchAndExplain(const std::string& text, testing::MatchResultListener*) const override {
    return text.find(words_) != std::string::npos;
  }
  void DescribeTo(std::ostream* out) const override { *out << "contains \"" << words_ << '"'; }

 private:
  std::string words_;
};

TEST(StopSignalDeathTest, ASecondSignalEndsTheProgramAtOnce) {
#if defined(__SANITIZE_ADDRESS__)
  testing::FLAGS_gtest_death_test_style = "fast";  // clone() with a separate stack hangs there
#else
  testing::FLAGS_gtest_death_test_style = "threadsafe";
#endif
  EXPECT_EXIT(
      {
        const StopSignal stop;
        std::raise(SIGINT);
        std::this_thread::sleep_for(std::chrono::milliseconds(600));
        std::raise(SIGINT);
      },
      testing::ExitedWithCode(130),
      testing::MakeMatcher<const std::string&>(
          new Contains("interrupt again to stop immediately")));
}

}  // namespace
}  // namespace mixtune
