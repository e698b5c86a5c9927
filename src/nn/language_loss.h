// The language head without its logits: product with the head's weight, soft cap and cross-entropy
// run over a few rows at a time, so that no [tokens, vocabulary] tensor is ever stored. The forward
// pass also computes the gradients (three products a chunk; a backward pass that recomputed the
// logits would need four). Legend: R rows, D width, V vocabulary, K candidates.
#pragma once

#include "tensor/tensor.h"

namespace mixtune {

// logits = cap * tanh((z weight^T) / cap), or z weight^T if cap is 0.
struct LanguageHead {
  Tensor weight;  // [V, D]: the embedding, or a matrix of its own
  double cap = 0;
};

struct LanguageLossOptions {
  double smoothing = 0;  // label smoothing: share of the target that is spread over all tokens
  int64_t chunk = 0;     // rows per chunk; 0: language_chunk()
};

// Sum over rows of (1 - smoothing) * -log p(target) + smoothing * mean over tokens of -log p.
// z [R, D]; targets [R] int64. The weight gets a gradient only where it requires one.
Tensor language_loss_sum(const Tensor& z, const LanguageHead& head, const Tensor& targets,
                         const LanguageLossOptions& options = {});

// For each row the log-probability of its target ([R] double) and whether no token has a larger
// logit ([R] bool). No gradients.
struct TokenScores {
  Tensor log_probability, is_best;
};
TokenScores score_tokens(const Tensor& z, const LanguageHead& head, const Tensor& targets,
                         int64_t chunk = 0);

// The logits of the given tokens only: ids [K] int64 to [R, K].
Tensor candidate_logits(const Tensor& z, const LanguageHead& head, const Tensor& ids);

// Rows of a chunk for a vocabulary, so that a chunk's logits take about 32 MB.
int64_t language_chunk(int64_t vocabulary);

}  // namespace mixtune
