// Lines of a text file as views: LF or CRLF ends, a UTF-8 byte-order mark skipped, UTF-8 checked.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mixtune {

// The text after a byte-order mark. UserError at "source:line" where it is not UTF-8.
std::string_view checked_text(std::string_view content, const std::string& source);

// Without their ends; a missing last line end is fine. Views into `text`.
std::vector<std::string_view> split_lines(std::string_view text);

}  // namespace mixtune
