// All trainable parameters are stored in one flat buffer of named segments; a leaf of the autograd
// graph is a run of segments. Optimizer, clipping, all-reduce, checkpoint and export use segments.
#pragma once

#include "tensor/tensor.h"

namespace mixtune {

struct Segment {
  std::string name;   // its name in files: "<module>.lora_A.weight"
  std::string group;  // learning-rate group: "adapter", "head", "base", "gate"
  std::vector<int64_t> shape;
  bool decays = true;       // whether weight decay applies
  int64_t offset = 0;       // in elements, set by build()
  bool transposed = false;  // a matrix whose columns are the rows of the leaf

  int64_t count() const;
  Tensor view_of(const Tensor& flat) const;  // this segment of the buffer, in `shape`
};

class Trainables {
 public:
  // Registers a leaf: `tensor` (owned by a module that never moves in memory) has the initial
  // values and is replaced by its view of the buffer in build(). The segments' elements are the
  // leaf's rows in order.
  void add(Tensor* tensor, std::vector<Segment> segments);

  // Allocates values and gradients and turns the registered tensors into leaves. Call once, after
  // loading.
  void build();

  bool contains(const Tensor* tensor) const;
  const std::vector<Segment>& segments() const { return segments_; }
  const Segment* find(const std::string& name) const;
  int64_t count() const;

  Tensor value_of(const Segment& segment) const;     // a view in the segment's shape
  Tensor gradient_of(const Segment& segment) const;  // a view in the segment's shape
  void zero_gradients();

  Tensor values, gradients;  // [count], fp32

 private:
  struct Leaf {
    Tensor* tensor;
    size_t first, last;  // segments
  };
  std::vector<Leaf> leaves_;
  std::vector<Segment> segments_;
};

}  // namespace mixtune
