// During its lifetime the products of a decoder's steps use packed copies of its weights, which are
// faster for few rows. The weights must not change in this time.
#pragma once

#include "models/decoder.h"

namespace mixtune {

class PackedWeights {
 public:
  // Copies all supported weights if the copies fit into `space` bytes, otherwise none.
  PackedWeights(DecoderModel& model, int64_t space);
  ~PackedWeights();
  PackedWeights(const PackedWeights&) = delete;
  PackedWeights& operator=(const PackedWeights&) = delete;

 private:
  void drop();

  DecoderModel& model_;
};

}  // namespace mixtune
