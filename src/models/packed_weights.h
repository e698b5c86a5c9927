// While it lives, the products of a decoder's steps go through copies of its weights that are laid
// out for few rows. The weights must not change meanwhile.
#pragma once

#include "models/decoder.h"

namespace mixtune {

class PackedWeights {
 public:
  // Copies what can be copied within `room` bytes, or nothing.
  PackedWeights(DecoderModel& model, int64_t space);
  ~PackedWeights();
  PackedWeights(const PackedWeights&) = delete;
  PackedWeights& operator=(const PackedWeights&) = delete;

 private:
  void drop();

  DecoderModel& model_;
};

}  // namespace mixtune
