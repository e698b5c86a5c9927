#include "metrics/meteor.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>
#include <utility>

#include "metrics/ngrams.h"
#include "metrics/porter_stem.h"

namespace mixtune {
namespace {

constexpr double kAlpha = 0.9, kBeta = 3, kGamma = 0.5;

using Match = std::pair<size_t, size_t>;  // positions in the output and in the reference

// The words of one text at one stage of matching; matched words are no longer free.
struct Side {
  Symbols keys;
  std::vector<bool> is_free;
};

// Matches in nltk's order: from the last word of the output to the first, each is matched with the
// last free equal word of the reference. This is greedy and does not minimize crossings.
void match(Side& output, Side& reference, std::vector<Match>& matches) {
  std::unordered_map<char32_t, std::vector<size_t>> places;
  for (size_t j = 0; j < reference.keys.size(); ++j)
    if (reference.is_free[j]) places[reference.keys[j]].push_back(j);
  for (size_t i = output.keys.size(); i-- > 0;) {
    if (!output.is_free[i]) continue;
    const auto found = places.find(output.keys[i]);
    if (found == places.end() || found->second.empty()) continue;
    const size_t j = found->second.back();
    found->second.pop_back();
    output.is_free[i] = reference.is_free[j] = false;
    matches.emplace_back(i, j);
  }
}

// Number of runs of matches that are contiguous in both texts.
size_t count_chunks(std::vector<Match> matches) {
  std::sort(matches.begin(), matches.end());
  size_t chunks = 1;
  for (size_t i = 1; i < matches.size(); ++i)
    chunks += matches[i].first != matches[i - 1].first + 1 ||
              matches[i].second != matches[i - 1].second + 1;
  return chunks;
}

struct Stemmed {
  Symbols words, stems;
};

double score(const Stemmed& output, const Stemmed& reference) {
  Side a{output.words, std::vector<bool>(output.words.size(), true)};
  Side b{reference.words, std::vector<bool>(reference.words.size(), true)};
  std::vector<Match> matches;
  match(a, b, matches);
  a.keys = output.stems;
  b.keys = reference.stems;
  match(a, b, matches);
  if (matches.empty()) return 0;
  const auto count = static_cast<double>(matches.size());
  const double precision = count / static_cast<double>(output.words.size());
  const double recall = count / static_cast<double>(reference.words.size());
  const double mean = precision * recall / (kAlpha * precision + (1 - kAlpha) * recall);
  const double fragmentation = static_cast<double>(count_chunks(matches)) / count;
  return (1 - kGamma * std::pow(fragmentation, kBeta)) * mean;
}

// Words and stems have separate tables, because a stem may equal another word.
class Symbolizer {
 public:
  Stemmed operator()(const Words& words) {
    Words stems;
    for (const std::string& word : words) {
      auto [known, is_new] = stems_.try_emplace(word);
      if (is_new) known->second = porter_stem(word);
      stems.push_back(known->second);
    }
    return {word_symbols_(words), stem_symbols_(stems)};
  }

 private:
  WordSymbols word_symbols_, stem_symbols_;
  std::unordered_map<std::string, std::string> stems_;
};

}  // namespace

double meteor(const WordSegment& segment) {
  Symbolizer symbols;
  const Stemmed output = symbols(segment.output);
  double best = 0;
  for (const Words& reference : segment.references)
    best = std::max(best, score(output, symbols(reference)));
  return best;
}

}  // namespace mixtune
