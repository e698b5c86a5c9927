// Layer normalization, alone and at the end of a post-norm sublayer: LN(residual + dropout(x)). The
// residual addition of a sublayer has its own adapter slot.
#pragma once

#include "nn/context.h"

namespace mixtune {

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

// The end of a sublayer, residual + dropout(x), with an adapter slot. Layers never move in memory,
// so that `norms` may point into them.
class ResidualAdd {
 public:
  // `path` is the module whose output is added; `site` names the random stream of the dropout.
  ResidualAdd(std::string path, std::string site, Sublayer sublayer, int64_t layer, double dropout)
      : path_(std::move(path)),
        site_(std::move(site)),
        sublayer_(sublayer),
        layer_(layer),
        dropout_(dropout) {}

  // `call.rows` are the rows of x. [T, D]
  Tensor add(const Tensor& x, const Tensor& residual, const Call& call) const;

  const std::string& path() const { return path_; }
  Sublayer sublayer() const { return sublayer_; }
  int64_t layer() const { return layer_; }
  double dropout() const { return dropout_; }

  std::shared_ptr<OutputAdapter> adapter;              // the slot
  std::vector<std::pair<std::string, Tensor*>> norms;  // weights of this sublayer's norm

 protected:
  DropoutMask mask(const Call& call) const;

 private:
  std::string path_, site_;
  Sublayer sublayer_;
  int64_t layer_;
  double dropout_;
};

// The end of a post-norm sublayer: LN(residual + dropout(x)).
class ResidualNorm : public ResidualAdd {
 public:
  ResidualNorm(LayerNorm norm, Sublayer sublayer, int64_t layer, double dropout);
  // `call.rows` are the rows of x. [T, D]
  Tensor forward(const Tensor& x, const Tensor& residual, const Call& call) const;

  LayerNorm norm;
};

}  // namespace mixtune
