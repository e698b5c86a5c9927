// Whether a part of a layer uses random numbers in training, that is, has active dropout. The
// layers of all model families use these functions.
#pragma once

#include "nn/feed_forward.h"

namespace mixtune {

inline bool is_stochastic(const LinearGroup& group) {
  return group.adapter && group.adapter->is_random();
}

inline bool is_stochastic(const FeedForward& part) {
  return is_stochastic(part.up) || is_stochastic(part.down) ||
         (part.adapter && part.adapter->is_random());
}

// For ResidualAdd and ResidualNorm (nn/norm.h).
template <class End>
bool end_is_stochastic(const End& end) {
  return end.dropout() > 0 || (end.adapter && end.adapter->is_random());
}

}  // namespace mixtune
