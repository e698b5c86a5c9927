// Layer normalisation, alone and as the end of a sublayer: LN(residual + dropout(x)).
#pragma once

#include "nn/context.h"

namespace molt {

struct LayerNorm {
  LayerNorm(std::string name, int64_t width, double epsilon, const at::TensorOptions& options);
  Tensor forward(const Tensor& x) const;  // [T, D]

  std::string name;  // the Hugging Face module path
  Tensor weight, bias;
  double epsilon;
};

// Changes the output of a sublayer before it is added to the residual (bottleneck adapters).
class OutputAdapter {
 public:
  virtual ~OutputAdapter() = default;
  virtual Tensor forward(const Tensor& x, const Call& call) = 0;  // [T, D] to [T, D]
  virtual bool is_random() const { return false; }
};

enum class Sublayer { attention, feed_forward };

// The end of a post-norm sublayer, with the third kind of slot.
class ResidualNorm {
 public:
  ResidualNorm(LayerNorm norm, Sublayer sublayer, int64_t block, double dropout)
      : norm(std::move(norm)), sublayer_(sublayer), block_(block), dropout_(dropout) {}

  // `call.rows` are the rows of x. [T, D]
  Tensor forward(const Tensor& x, const Tensor& residual, const Call& call) const;

  Sublayer sublayer() const { return sublayer_; }
  int64_t block() const { return block_; }
  double dropout() const { return dropout_; }

  LayerNorm norm;
  std::shared_ptr<OutputAdapter> adapter;  // the slot

 private:
  Sublayer sublayer_;
  int64_t block_;
  double dropout_;
};

}  // namespace molt
