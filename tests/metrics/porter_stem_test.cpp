#include "metrics/porter_stem.h"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

namespace mixtune {
namespace {

void expect_stems(const std::vector<std::pair<std::string, std::string>>& stems) {
  for (const auto& [word, stem] : stems) EXPECT_EQ(porter_stem(word), stem) << word;
}

// The examples of the paper, each processed by the later steps as well.
TEST(PorterStem, FollowsTheStepsOfThePaper) {
  expect_stems({{"caresses", "caress"},    {"ponies", "poni"},
                {"caress", "caress"},      {"cats", "cat"},
                {"feed", "feed"},          {"agreed", "agre"},
                {"plastered", "plaster"},  {"bled", "bled"},
                {"motoring", "motor"},     {"sing", "sing"},
                {"conflated", "conflat"},  {"troubled", "troubl"},
                {"hopping", "hop"},        {"falling", "fall"},
                {"hissing", "hiss"},       {"filing", "file"},
                {"happy", "happi"},        {"relational", "relat"},
                {"triplicate", "triplic"}, {"formalize", "formal"},
                {"hopeful", "hope"},       {"goodness", "good"},
                {"replacement", "replac"}, {"adoption", "adopt"},
                {"bowdlerize", "bowdler"}, {"rate", "rate"},
                {"cease", "ceas"},         {"controlling", "control"},
                {"roll", "roll"}});
}

// Changes of nltk: short words in -ies and -ied, y after a vowel, irregular words, -logy, -fully.
TEST(PorterStem, FollowsTheChangesOfNltk) {
  expect_stems({{"dies", "die"},
                {"flies", "fli"},
                {"died", "die"},
                {"spied", "spi"},
                {"enjoy", "enjoy"},
                {"spy", "spi"},
                {"by", "by"},
                {"skies", "sky"},
                {"dying", "die"},
                {"news", "news"},
                {"succeed", "succeed"},
                {"geology", "geolog"},
                {"hopefully", "hope"}});
}

TEST(PorterStem, DoesNotChangeShortAndForeignWords) {
  expect_stems({{"", ""},
                {"a", "a"},
                {"is", "is"},
                {"\u00A3", "\u00A3"},
                {"5", "5"},
                {"caf\u00E9s", "caf\u00E9"},
                {"gro\u00DFe", "gro\u00DFe"}});
}

}  // namespace
}  // namespace mixtune
