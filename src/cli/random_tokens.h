// Random token ids and the outputs of a model for them. They compare two models that should be
// equal, such as a model before and after its adapter is merged, without any data.
#pragma once

#include "models/model.h"
#include "moe/attachment.h"

namespace mixtune {

// A few sequences of random token ids; equal for equal vocabulary sizes and maximum lengths.
PackedBatch random_tokens(const Model& model, const at::Device& device);

// Logits, or the last hidden state of a model without a head. `attachment` may be null.
Tensor answers(Model& model, const PackedBatch& batch, const Attachment* attachment);

// The largest absolute difference.
double largest_difference(const Tensor& a, const Tensor& b);

}  // namespace mixtune
