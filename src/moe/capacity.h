// How many tokens an expert takes (Switch Transformer). Legend: T tokens, E experts.
#pragma once

#include "tensor/packed_batch.h"

namespace mixtune {

// mask [T, E] of zeros and ones without what comes after the first `capacity` tokens of an expert
// in a sequence. In the order of tokens, so that later ones never take a place from earlier ones,
// and by sequence, so that what is packed together does not compete.
Tensor within_capacity(const Tensor& mask, const SequenceLayout& rows, int64_t capacity);

}  // namespace mixtune
