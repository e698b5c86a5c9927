#include "nn/trainables.h"

#include <algorithm>

namespace mixtune {

int64_t Segment::count() const {
  int64_t product = 1;
  for (const int64_t size : shape) product *= size;
  return product;
}

Tensor Segment::view_of(const Tensor& flat) const {
  const Tensor part = flat.narrow(0, offset, count());
  return transposed ? part.view({shape[1], shape[0]}).t() : part.view(shape);
}

void Trainables::add(Tensor* tensor, std::vector<Segment> segments) {
  MIXTUNE_CHECK(!values.defined(), "add() must come before build()");
  MIXTUNE_CHECK(!contains(tensor), "the leaf is already registered: " + segments.front().name);
  int64_t total = 0;
  for (const Segment& segment : segments) total += segment.count();
  MIXTUNE_CHECK(total == tensor->numel(), segments.front().name + ": " + shape_text(*tensor));
  const size_t first = segments_.size();
  for (Segment& segment : segments) {
    MIXTUNE_CHECK(find(segment.name) == nullptr,
                  "the segment is already registered: " + segment.name);
    segments_.push_back(std::move(segment));
  }
  leaves_.push_back({tensor, first, segments_.size()});
}

void Trainables::build() {
  int64_t offset = 0;
  for (Segment& segment : segments_) {
    segment.offset = offset;
    offset += segment.count();
  }
  const at::TensorOptions options =
      leaves_.empty() ? at::TensorOptions(at::kFloat) : leaves_.front().tensor->options();
  values = at::empty({offset}, options);
  gradients = at::zeros({offset}, options);
  for (const Leaf& leaf : leaves_) {
    const int64_t begin = segments_[leaf.first].offset, count = leaf.tensor->numel();
    const auto shape = leaf.tensor->sizes().vec();
    values.narrow(0, begin, count).copy_(leaf.tensor->detach().reshape({-1}));
    *leaf.tensor = values.narrow(0, begin, count).view(shape).detach().requires_grad_(true);
    leaf.tensor->mutable_grad() = gradients.narrow(0, begin, count).view(shape);
  }
}

bool Trainables::contains(const Tensor* tensor) const {
  return std::any_of(leaves_.begin(), leaves_.end(),
                     [&](const Leaf& leaf) { return leaf.tensor == tensor; });
}

const Segment* Trainables::find(const std::string& name) const {
  const auto found = std::find_if(segments_.begin(), segments_.end(),
                                  [&](const Segment& segment) { return segment.name == name; });
  return found == segments_.end() ? nullptr : &*found;
}

int64_t Trainables::count() const {
  int64_t total = 0;
  for (const Segment& segment : segments_) total += segment.count();
  return total;
}

Tensor Trainables::value_of(const Segment& segment) const {
  return segment.view_of(values);
}

Tensor Trainables::gradient_of(const Segment& segment) const {
  return segment.view_of(gradients);
}

void Trainables::zero_gradients() {
  gradients.zero_();
}

}  // namespace mixtune
