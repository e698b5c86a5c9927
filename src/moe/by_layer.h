// Options with an integer per layer: one number, a list, or the name of a published allocation of
// experts.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace mixtune {

// MoLA (arXiv 2402.08562) splits the layers into four quarters with these numbers of experts:
// triangle 8 6 4 2, inverted_triangle 2 4 6 8, hourglass 8 2 2 8, rectangle 5 5 5 5.
const std::vector<std::string>& allocation_names();

// For Limits::check: a description of what is expected if the text is invalid, otherwise nullopt.
// numbers_expected accepts no allocation names.
std::optional<std::string> experts_expected(const std::string& text);
std::optional<std::string> numbers_expected(const std::string& text);

// One number per layer. UserError, with `where` as the option, if the length of a list differs from
// `layers`.
std::vector<int64_t> by_layer(const std::string& text, int64_t layers, const std::string& where);

}  // namespace mixtune
