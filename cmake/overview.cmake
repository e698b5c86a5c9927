# Writes HEADER, what `mixtune --help` prints as a constant, by asking PROGRAM: the launcher prints it without
# loading libtorch. Run at build time.
cmake_minimum_required(VERSION 3.25)
set(ENV{ASAN_OPTIONS} "detect_leaks=0:$ENV{ASAN_OPTIONS}")
execute_process(COMMAND ${PROGRAM} --help OUTPUT_VARIABLE overview ERROR_VARIABLE error RESULT_VARIABLE failed)
if(failed)
  message(FATAL_ERROR "${PROGRAM} --help failed: ${error}")
endif()
file(WRITE ${HEADER}
"// Generated from the registry of commands.
#pragma once

namespace mixtune {

constexpr const char* kOverview = R\"overview(${overview})overview\";

}  // namespace mixtune
")
