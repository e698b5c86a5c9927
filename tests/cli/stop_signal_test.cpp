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

TEST(StopSignal, SaysWhatTheProgramDoesThen) {
  const StopSignal stop("stopping after this token");
  testing::internal::CaptureStderr();
  std::raise(SIGINT);
  EXPECT_EQ(testing::internal::GetCapturedStderr(),
            "\nstopping after this token; once more to stop at once\n");
}

TEST(StopSignal, ARequestThatIsSentTwiceIsOne) {
  const StopSignal stop;
  testing::internal::CaptureStderr();
  std::raise(SIGTERM);
  std::raise(SIGTERM);
  testing::internal::GetCapturedStderr();
  EXPECT_TRUE(*stop.flag());
}

TEST(StopSignal, EachBeginsAnew) {
  {
    const StopSignal stop;
    testing::internal::CaptureStderr();
    std::raise(SIGINT);
    testing::internal::GetCapturedStderr();
  }
  EXPECT_FALSE(*StopSignal().flag());
}

// In place of a regular expression: Oniguruma's regcomp stands before the C library's, whose
// regexec the sanitizers call.
class Says final : public testing::MatcherInterface<const std::string&> {
 public:
  explicit Says(std::string words) : words_(std::move(words)) {}
  bool MatchAndExplain(const std::string& text, testing::MatchResultListener*) const override {
    return text.find(words_) != std::string::npos;
  }
  void DescribeTo(std::ostream* out) const override { *out << "says \"" << words_ << '"'; }

 private:
  std::string words_;
};

TEST(StopSignalDeathTest, AnotherRequestEndsTheProgramAtOnce) {
#if defined(__SANITIZE_ADDRESS__)
  testing::FLAGS_gtest_death_test_style = "fast";  // clone() on a stack of its own hangs there
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
      testing::MakeMatcher<const std::string&>(new Says("once more to stop at once")));
}

}  // namespace
}  // namespace mixtune
