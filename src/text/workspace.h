// Per-thread state of encoding: reusable buffers and a cache of tokenized words. A pipeline lends
// one workspace to each call, so that encoding takes no lock except for borrowing and returning it.
#pragma once

#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "text/model.h"
#include "text/normalized_text.h"

namespace mixtune {

// Caches words with their pieces; cleared completely when it is full.
class WordCache {
 public:
  WordCache();
  // The pieces of a word, computed by `model` if it is not cached. Valid until the next call.
  std::span<const Piece> pieces(std::string_view word, const TokenizerModel& model);

 private:
  struct Slot {
    uint64_t hash = 0;
    uint32_t word = 0, word_size = 0;  // in letters_; 0: the slot is free
    uint32_t piece = 0, piece_count = 0;
  };
  void forget();

  std::vector<Slot> slots_;
  std::string letters_;
  std::vector<Piece> pieces_;
  std::vector<Piece> uncached_;
  size_t used_ = 0;
};

struct Workspace {
  NormalizedText text, part;
  std::vector<Span> words;
  WordCache cache;
};

class WorkspacePool {
 public:
  class Loan {
   public:
    explicit Loan(WorkspacePool& pool) : pool_(pool), workspace_(pool.take()) {}
    ~Loan() { pool_.give_back(std::move(workspace_)); }
    Loan(const Loan&) = delete;
    Loan& operator=(const Loan&) = delete;
    Workspace& operator*() const { return *workspace_; }

   private:
    WorkspacePool& pool_;
    std::unique_ptr<Workspace> workspace_;
  };

 private:
  std::unique_ptr<Workspace> take();
  void give_back(std::unique_ptr<Workspace> workspace);

  std::mutex mutex_;
  std::vector<std::unique_ptr<Workspace>> idle_;
};

}  // namespace mixtune
