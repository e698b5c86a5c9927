#include "text/truncation.h"

#include <algorithm>

#include "base/error.h"

namespace mixtune {
namespace {

// Only the longer text is truncated if that is sufficient; otherwise each gets half of the room,
// and an odd token goes to the longer text (to the second if they are equal).
TokenCounts longest_first(TokenCounts counts, int64_t room) {
  const bool first_is_longer = counts.first > counts.second;
  int64_t shorter = std::min(counts.first, counts.second);
  int64_t longer = std::max(shorter, room - shorter);
  if (shorter + longer > room) {
    shorter = room / 2;
    longer = room - shorter;
  }
  return first_is_longer ? TokenCounts{longer, shorter} : TokenCounts{shorter, longer};
}

}  // namespace

TokenCounts truncated_counts(TokenCounts counts, bool is_pair, int64_t room,
                             Truncation truncation) {
  const int64_t excess = counts.first + counts.second - room;
  if (excess <= 0) return counts;
  if (!is_pair && truncation != Truncation::kOnlySecond) return {room, 0};
  if (truncation == Truncation::kLongestFirst) return longest_first(counts, room);
  const bool cuts_first = truncation == Truncation::kOnlyFirst;
  int64_t& cut = cuts_first ? counts.first : counts.second;
  if (cut <= excess)
    throw UserError("max_length",
                    "leaves room for " + std::to_string(room) + " tokens of text, so " +
                        std::to_string(excess) + " have to go, but the " +
                        (cuts_first ? "first" : "second") +
                        " text, the only one that may be cut, has " + std::to_string(cut),
                    "Raise max_length or use longest_first.");
  cut -= excess;
  return counts;
}

}  // namespace mixtune
