// Which parts of a block draw random numbers in training: the blocks of all families ask their
// parts alike.
#pragma once

#include "nn/feed_forward.h"

namespace mixtune {

inline bool draws(const LinearGroup& group) {
  return group.adapter && group.adapter->is_random();
}

inline bool draws(const FeedForward& part) {
  return draws(part.up) || draws(part.down) || (part.adapter && part.adapter->is_random());
}

// The end of a sublayer, of either kind (nn/norm.h).
template <class End>
bool end_draws(const End& end) {
  return end.dropout() > 0 || (end.adapter && end.adapter->is_random());
}

}  // namespace mixtune
