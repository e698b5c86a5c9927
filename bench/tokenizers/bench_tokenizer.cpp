// bench_tokenizer TOKENIZER TEXT ROUNDS: encodes every line of a text file, including offsets, on
// one thread. Prints one line per round: seconds, tokens and a checksum of ids and offsets, which
// compare.py compares with that of the reference library.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "text/tokenizer.h"

namespace {

using namespace mixtune;

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    if (end > begin) lines.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return lines;
}

void measure(const Tokenizer& tokenizer, const std::vector<std::string_view>& lines) {
  const auto start = std::chrono::steady_clock::now();
  std::vector<Encoding> encodings;
  encodings.reserve(lines.size());
  for (const auto line : lines)
    encodings.push_back(tokenizer.encode(line, {.offsets = OffsetUnit::kCodePoints}));
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  uint64_t sum = 0;
  size_t tokens = 0;
  for (const Encoding& encoding : encodings) {
    tokens += encoding.ids.size();
    for (size_t i = 0; i < encoding.ids.size(); ++i)
      sum = (sum * 31 + encoding.ids[i] * 7 + encoding.offsets[i].begin * 3 +
             encoding.offsets[i].end) &
            0xFFFFFFFF;
  }
  std::printf("%.6f %zu %llu\n", seconds.count(), tokens, static_cast<unsigned long long>(sum));
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 4) {
    std::fprintf(stderr, "usage: bench_tokenizer TOKENIZER TEXT ROUNDS\n");
    return 2;
  }
  try {
    const Tokenizer tokenizer = Tokenizer::load(arguments[1]);
    const std::string text = read_file(arguments[2]);
    const auto lines = lines_of(text);
    for (int round = std::atoi(arguments[3]); round > 0; --round) measure(tokenizer, lines);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
  }
}
