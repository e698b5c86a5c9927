#include "tasks/sample.h"

#include <algorithm>
#include <cmath>
#include <string>

namespace mixtune {
namespace {

// The `count`-th smallest hash; count is 1 to the number of hashes.
uint64_t threshold(std::vector<uint64_t> hashes, size_t count) {
  const auto nth = hashes.begin() + static_cast<ptrdiff_t>(count - 1);
  std::nth_element(hashes.begin(), nth, hashes.end());
  return *nth;
}

void append(DataSet& to, const DataSet& from, size_t row) {
  to.examples.push_back(from.examples[row]);
  if (!from.ids_text.empty()) to.ids_text.push_back(from.ids_text[row]);
}

DataSet empty_like(const DataSet& set) {
  return {.name = set.name, .source = set.source, .warnings = set.warnings};
}

uint64_t text_hash(const Example& example) {
  std::string text = example.first;
  if (example.second) text += '\x1f' + *example.second;
  return stable_hash(text);
}

}  // namespace

uint64_t stable_hash(std::string_view bytes) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (const char byte : bytes) hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001b3u;
  // With FNV-1a alone, similar texts have similar high bits.
  hash = (hash ^ (hash >> 30)) * 0xbf58476d1ce4e5b9u;
  hash = (hash ^ (hash >> 27)) * 0x94d049bb133111ebu;
  return hash ^ (hash >> 31);
}

void limit_examples(DataSet& set, int64_t count) {
  if (count >= static_cast<int64_t>(set.examples.size())) return;
  std::vector<uint64_t> hashes;
  for (const Example& example : set.examples)
    hashes.push_back(stable_hash(std::to_string(example.id)));
  const uint64_t last = threshold(hashes, static_cast<size_t>(count));
  DataSet kept = empty_like(set);
  for (size_t row = 0; row < hashes.size(); ++row)
    if (hashes[row] <= last) append(kept, set, row);
  set = std::move(kept);
}

std::pair<DataSet, DataSet> split_by_text(const DataSet& all, double share) {
  std::vector<uint64_t> hashes;
  for (const Example& example : all.examples) hashes.push_back(text_hash(example));
  const auto count = static_cast<size_t>(std::llround(share * static_cast<double>(hashes.size())));
  std::pair<DataSet, DataSet> parts{empty_like(all), empty_like(all)};
  const bool some = count > 0;
  const uint64_t last = some ? threshold(hashes, count) : 0;
  for (size_t row = 0; row < hashes.size(); ++row)
    append(some && hashes[row] <= last ? parts.second : parts.first, all, row);
  return parts;
}

}  // namespace mixtune
