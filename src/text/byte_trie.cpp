#include "text/byte_trie.h"

namespace mixtune {

ByteTrie::ByteTrie(std::vector<Word> words) : nodes_(1), labels_(1) {
  std::sort(words.begin(), words.end(),
            [](const Word& a, const Word& b) { return a.bytes < b.bytes; });
  struct Range {  // the words below a node, which share their first `depth` bytes
    size_t begin, end, depth;
  };
  std::vector<Range> ranges = {{0, words.size(), 0}};  // by node
  for (uint32_t node = 0; node < nodes_.size(); ++node) {
    Range range = ranges[node];
    if (range.begin < range.end && words[range.begin].bytes.size() == range.depth)
      nodes_[node].value = words[range.begin++].value;
    nodes_[node].first_child = static_cast<uint32_t>(nodes_.size());
    while (range.begin < range.end) {
      const char label = words[range.begin].bytes[range.depth];
      size_t end = range.begin;
      while (end < range.end && words[end].bytes[range.depth] == label) ++end;
      ranges.push_back({range.begin, end, range.depth + 1});
      labels_.push_back(static_cast<uint8_t>(label));
      nodes_.emplace_back();
      ++nodes_[node].child_count;
      range.begin = end;
    }
  }
}

}  // namespace mixtune
