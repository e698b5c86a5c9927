// The stem of an English word by Porter's algorithm (1980) with the changes that nltk's
// PorterStemmer makes in its default mode: some irregular words, "ies" and "ied" of short words, a
// final y only after a consonant, and a few more suffixes.
#pragma once

#include <string>
#include <string_view>

namespace mixtune {

// `word` must be in lower case. Characters that are not ASCII count as consonants.
std::string porter_stem(std::string_view word);

}  // namespace mixtune
