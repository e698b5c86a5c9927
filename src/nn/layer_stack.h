// The layers of a model, with the adapter slot for methods that mix whole layers. A borrowed layer
// is an argument of a call, never registered twice.
#pragma once

#include <span>

#include "nn/context.h"

namespace mixtune {

class Layer {
 public:
  virtual ~Layer() = default;
  // z [T, D] to [T, D], or to [read rows, D] where call.read is set.
  virtual Tensor forward(const Tensor& z, const Call& call) = 0;
  // Whether it uses random numbers in training (dropout of the model or of its adapters).
  virtual bool is_random() const = 0;
};

class LayerStack;

class StackAdapter {
 public:
  virtual ~StackAdapter() = default;
  virtual Tensor forward(LayerStack& stack, const Tensor& z, const SequenceLayout& rows,
                         ForwardContext& context, const SelectedRows* read) = 0;
  // Whether generation uses an averaged cache (nn/key_value_cache.h) by default.
  virtual bool averages_cache() const { return false; }
};

class LayerStack {
 public:
  // z [T, D] to [T, D]; with `read`, the last position computes only those rows: [read rows, D].
  Tensor forward(const Tensor& z, const SequenceLayout& rows, ForwardContext& context,
                 const SelectedRows* read);

  // Runs several layers on one input; `read` as in Call.
  std::vector<Tensor> run(std::span<const CallPath> paths, const Tensor& z,
                          const SequenceLayout& rows, ForwardContext& context,
                          const SelectedRows* read);

  int64_t size() const { return static_cast<int64_t>(layers.size()); }
  bool is_random() const;

  std::vector<std::unique_ptr<Layer>> layers;
  std::shared_ptr<StackAdapter> adapter;  // the slot
  // Set by a method if the last position must compute every row in training, since auxiliary losses
  // count all rows or experts compete over them.
  bool trains_every_row = false;
  bool runs_every_row = false;  // in training and evaluation, since routers pool over all rows
  // If set, every forward pass appends the input of each position, detached, and then the output.
  std::vector<Tensor>* hidden_states = nullptr;

 private:
  Tensor forward_reading(const Tensor& z, const SequenceLayout& rows, ForwardContext& context,
                         const SelectedRows* read);
};

}  // namespace mixtune
