// Expert capacity: the limit on the tokens of an expert (Switch Transformer). Legend: T tokens, E
// experts.
#pragma once

#include "tensor/packed_batch.h"

namespace mixtune {

// Clears entries of mask [T, E] (zeros and ones) beyond the first `capacity` tokens of an expert in
// each sequence. Tokens are taken in order, so a later token never displaces an earlier one, and
// each sequence is counted separately, so packed sequences do not compete.
Tensor within_capacity(const Tensor& mask, const SequenceLayout& rows, int64_t capacity);

}  // namespace mixtune
