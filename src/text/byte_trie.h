// A trie of a vocabulary's words by their bytes: finds every word that a text begins with. It is
// built once and never changed.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <vector>

namespace mixtune {

class ByteTrie {
 public:
  struct Word {
    std::string_view bytes;
    int32_t value;  // not negative
  };
  // The words must be distinct. Their bytes are used only during construction.
  explicit ByteTrie(std::vector<Word> words);

  // visit(length, value) for each word that `text` begins with, the shortest first.
  template <typename Visit>
  void prefixes(std::string_view text, Visit visit) const {
    uint32_t node = 0;
    for (size_t length = 1; length <= text.size(); ++length) {
      node = child(node, static_cast<uint8_t>(text[length - 1]));
      if (node == 0) return;
      if (nodes_[node].value >= 0) visit(length, nodes_[node].value);
    }
  }

 private:
  struct Node {
    uint32_t first_child = 0;
    uint32_t child_count = 0;
    int32_t value = -1;
  };

  uint32_t child(uint32_t node, uint8_t label) const {  // 0: none
    const uint8_t* const begin = labels_.data() + nodes_[node].first_child;
    const uint8_t* const end = begin + nodes_[node].child_count;
    const uint8_t* const found = std::lower_bound(begin, end, label);
    return found != end && *found == label ? static_cast<uint32_t>(found - labels_.data()) : 0;
  }

  std::vector<Node> nodes_;      // 0 is the root; the children of a node are contiguous
  std::vector<uint8_t> labels_;  // by node: the byte that leads to it
};

}  // namespace mixtune
