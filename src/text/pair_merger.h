// What all byte-pair models share: the neighbours whose merge was learnt earliest merge, the
// leftmost first among equals, until no two neighbours merge.
#pragma once

#include <vector>

#include "text/merge_table.h"
#include "text/model.h"

namespace mixtune {

class PairMerger {
 public:
  // `field`: the model of tokenizer.json. Refuses what no kind of byte pairs here does: dropout, a
  // prefix or a suffix of words.
  PairMerger(const JsonField& field, const Vocabulary& vocabulary);

  // Merges the pieces from index `first` on.
  void merge(std::vector<Piece>& pieces, size_t first) const;

 private:
  void read_merges(const JsonField& merges, const Vocabulary& vocabulary);
  void merge_by_search(std::vector<Piece>& pieces, size_t first) const;
  void merge_by_queue(std::vector<Piece>& pieces, size_t first) const;

  MergeTable table_;
};

// The id of unk_token; -1 where the model has none.
int32_t read_unknown_token(const JsonField& model, const Vocabulary& vocabulary);

}  // namespace mixtune
