// Shared by all byte-pair models: the adjacent pair with the lowest merge rank is merged, the
// leftmost first among equal ranks, until no pair can be merged.
#pragma once

#include <vector>

#include "text/merge_table.h"
#include "text/model.h"

namespace mixtune {

class PairMerger {
 public:
  // `field`: the model of tokenizer.json. Rejects unsupported settings: dropout, and a prefix or
  // suffix of words.
  PairMerger(const JsonField& field, const Vocabulary& vocabulary);

  // Merges the pieces from index `first` on.
  void merge(std::vector<Piece>& pieces, size_t first) const;

 private:
  void read_merges(const JsonField& merges, const Vocabulary& vocabulary);
  void merge_by_search(std::vector<Piece>& pieces, size_t first) const;
  void merge_by_queue(std::vector<Piece>& pieces, size_t first) const;

  MergeTable table_;
};

// The id of unk_token; -1 if the model has none.
int32_t read_unknown_token(const JsonField& model, const Vocabulary& vocabulary);

}  // namespace mixtune
