#include "nn/layer_stack.h"

#include <algorithm>

namespace mixtune {

std::vector<Tensor> LayerStack::run(std::span<const CallPath> paths, const Tensor& z,
                                    const SequenceLayout& rows, ForwardContext& context,
                                    const SelectedRows* read) {
  std::vector<Tensor> out;
  for (const CallPath& path : paths)
    out.push_back(layers.at(path.layer)->forward(z, Call{rows, path, context, read}));
  return out;
}

Tensor LayerStack::forward(const Tensor& z, const SequenceLayout& rows, ForwardContext& context,
                           const SelectedRows* read) {
  const bool runs_all = runs_every_row || (trains_every_row && context.phase == Phase::train);
  if (read && runs_all)
    return forward_reading(z, rows, context, nullptr).index_select(0, read->index);
  return forward_reading(z, rows, context, read);
}

Tensor LayerStack::forward_reading(const Tensor& z, const SequenceLayout& rows,
                                   ForwardContext& context, const SelectedRows* read) {
  if (adapter) return adapter->forward(*this, z, rows, context, read);
  Tensor state = z;
  for (int64_t t = 0; t < size(); ++t) {
    if (hidden_states) hidden_states->push_back(state.detach());
    const CallPath path{.position = t, .layer = t};
    state = run({&path, 1}, state, rows, context, t + 1 == size() ? read : nullptr)[0];
  }
  if (hidden_states) hidden_states->push_back(state.detach());
  return state;
}

bool LayerStack::is_random() const {
  return std::any_of(layers.begin(), layers.end(),
                     [](const auto& layer) { return layer->is_random(); });
}

}  // namespace mixtune
