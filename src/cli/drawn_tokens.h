// Drawn token ids, and what a model says to them: how two models that should be the same are held
// against each other without any data.
#pragma once

#include "models/model.h"
#include "moe/attachment.h"

namespace mixtune {

// A few sequences of ids below the vocabulary, the same for equal configs.
PackedBatch drawn_tokens(const Model& model, const at::Device& device);

// Logits, or the last hidden state of a model without a head. `attachment` may be null.
Tensor answers(Model& model, const PackedBatch& batch, const Attachment* attachment);

// The largest difference of two answers.
double largest_difference(const Tensor& a, const Tensor& b);

}  // namespace mixtune
