#include "metrics/ngrams.h"

#include <gtest/gtest.h>

#include "metrics/white_space.h"

namespace mixtune {
namespace {

TEST(Ngrams, AreCountedUpToTheLongest) {
  WordSymbols symbols;
  const Symbols sentence = symbols({"a", "b", "a", "b"});
  const NgramCounts counts = count_ngrams(sentence, 2);
  EXPECT_EQ(counts.size(), 4u);  // a, b, ab, ba
  EXPECT_EQ(counts.at(Ngram(sentence).substr(0, 1)), 2);
  EXPECT_EQ(counts.at(Ngram(sentence).substr(0, 2)), 2);
  EXPECT_EQ(counts.at(Ngram(sentence).substr(1, 2)), 1);
  EXPECT_TRUE(count_ngrams(Symbols(), 4).empty());
}

TEST(Ngrams, CountMostInOneReference) {
  WordSymbols symbols;
  const std::vector<Symbols> references = {symbols({"a", "a"}), symbols({"a", "b"}),
                                           symbols({"a"})};
  const LargestCounts counts = largest_counts(references, 1);
  EXPECT_EQ(counts.at(Ngram(references[0]).substr(0, 1)).largest, 2);
  EXPECT_EQ(counts.at(Ngram(references[1]).substr(1, 1)).largest, 1);
}

TEST(WhiteSpace, IsThatOfUnicode) {
  EXPECT_EQ(split_at_spaces("a\u00A0b\u2003c\u3000 d\x1F"
                            "e"),
            (Words{"a", "b", "c", "d", "e"}));
  EXPECT_EQ(code_points("a\u00E9\u20AC\U0001F600"), U"a\u00E9\u20AC\U0001F600");
  EXPECT_TRUE(split_at_spaces("").empty());
}

}  // namespace
}  // namespace mixtune
