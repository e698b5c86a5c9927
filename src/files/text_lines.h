// Lines of a text file as views: lines end with LF or CRLF, a UTF-8 byte-order mark is skipped, and
// UTF-8 is checked.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mixtune {

// The text after a byte-order mark. Throws UserError at "source:line" if it is not UTF-8.
std::string_view checked_text(std::string_view content, const std::string& source);

// The lines without their line ends, as views into `text`. The last line end may be missing.
std::vector<std::string_view> split_lines(std::string_view text);

}  // namespace mixtune
