// A whole number for each layer, as an option writes it: one number, a list, or the name of a
// published allocation of experts.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace mixtune {

// MoLA (arXiv 2402.08562): the layers in four blocks of equal length, experts for each:
// triangle 8 6 4 2, inverted_triangle 2 4 6 8, hourglass 8 2 2 8, rectangle 5 5 5 5.
const std::vector<std::string>& allocation_names();

// What was expected, where the text is none of the three; for Limits::check. The second takes no
// names.
std::optional<std::string> experts_expected(const std::string& text);
std::optional<std::string> numbers_expected(const std::string& text);

// One number for each of `layers`. `where` is the option, for the UserError of a list of another
// length.
std::vector<int64_t> by_layer(const std::string& text, int64_t layers, const std::string& where);

}  // namespace mixtune
