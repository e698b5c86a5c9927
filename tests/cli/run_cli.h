// Runs the program in this process and collects what it prints.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "cli/program.h"

namespace mixtune::test {

struct CliResult {
  int code = 0;
  std::string out, err;
};

inline CliResult run_cli(const std::vector<std::string>& arguments) {
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  CliResult result;
  result.code = run_program(arguments);
  result.out = testing::internal::GetCapturedStdout();
  result.err = testing::internal::GetCapturedStderr();
  return result;
}

inline bool says(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// A user mistake is one line on stderr, exit code 2, and nothing on stdout.
inline void expect_mistake(const CliResult& result, const std::string& part) {
  EXPECT_EQ(result.code, 2) << result.err;
  EXPECT_EQ(result.out, "");
  EXPECT_TRUE(says(result.err, part)) << result.err;
  EXPECT_EQ(result.err.find('\n') + 1, result.err.size()) << result.err;
}

}  // namespace mixtune::test
