#include "text/workspace.h"

namespace mixtune {
namespace {

constexpr size_t kSlots = size_t{1} << 16;
constexpr size_t kMostWords = kSlots / 2;
constexpr size_t kLongestWord = 64;  // longer words rarely repeat
constexpr size_t kMostPieces = 1 << 18;

}  // namespace

WordCache::WordCache() : slots_(kSlots) {}

std::span<const Piece> WordCache::pieces(std::string_view word, const TokenizerModel& model) {
  if (word.size() > kLongestWord) {
    uncached_.clear();
    model.cut(word, uncached_);
    return uncached_;
  }
  const uint64_t hash = hash_of(word);
  size_t at = hash & (kSlots - 1);
  for (; slots_[at].word_size > 0; at = (at + 1) & (kSlots - 1)) {
    const Slot& slot = slots_[at];
    if (slot.hash == hash && slot.word_size == word.size() &&
        std::memcmp(letters_.data() + slot.word, word.data(), word.size()) == 0)
      return {pieces_.data() + slot.piece, slot.piece_count};
  }
  if (used_ >= kMostWords || pieces_.size() >= kMostPieces) {
    forget();
    at = hash & (kSlots - 1);
  }
  const auto first = static_cast<uint32_t>(pieces_.size());
  model.cut(word, pieces_);
  const auto count = static_cast<uint32_t>(pieces_.size() - first);
  slots_[at] = {hash, static_cast<uint32_t>(letters_.size()), static_cast<uint32_t>(word.size()),
                first, count};
  letters_ += word;
  ++used_;
  return {pieces_.data() + first, count};
}

void WordCache::forget() {
  std::fill(slots_.begin(), slots_.end(), Slot());
  letters_.clear();
  pieces_.clear();
  used_ = 0;
}

std::unique_ptr<Workspace> WorkspacePool::take() {
  {
    const std::lock_guard lock(mutex_);
    if (!idle_.empty()) {
      auto workspace = std::move(idle_.back());
      idle_.pop_back();
      return workspace;
    }
  }
  return std::make_unique<Workspace>();
}

void WorkspacePool::give_back(std::unique_ptr<Workspace> workspace) {
  const std::lock_guard lock(mutex_);
  idle_.push_back(std::move(workspace));
}

}  // namespace mixtune
