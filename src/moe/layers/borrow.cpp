#include "moe/layers/borrow.h"

namespace mixtune {
namespace {

// An order of rows and the order that undoes it; [T] int64 each.
struct RowOrder {
  Tensor forward, inverse;

  explicit RowOrder(Tensor order) : forward(std::move(order)), inverse(at::empty_like(forward)) {
    inverse.index_copy_(0, forward, at::arange(forward.size(0), forward.options()));
  }
};

// Reorders rows: the backward pass gathers by the inverse order, without a scatter.
class PermuteRows : public torch::autograd::Function<PermuteRows> {
 public:
  static Tensor forward(AutogradContext* ctx, const Tensor& x, const Tensor& order,
                        const Tensor& inverse) {
    ctx->save_for_backward({inverse});
    return x.index_select(0, order);
  }
  static variable_list backward(AutogradContext* ctx, variable_list gradients) {
    return {gradients[0].index_select(0, ctx->get_saved_variables()[0]), Tensor(), Tensor()};
  }
};

// The rows of `read` that belong to some of the sequences, indexed within the rows of these
// sequences.
SelectedRows select_read(const SelectedRows& read, const SequenceLayout& rows,
                         const std::vector<int64_t>& sequences) {
  SelectedRows out = select_sequences(read.rows, sequences);
  const Tensor absolute = read.index.index_select(0, out.index).to(at::kCPU).clone();
  int64_t* index = absolute.data_ptr<int64_t>();
  int64_t first = 0;
  for (size_t i = 0; i < sequences.size(); ++i) {
    for (int64_t r = out.rows.offsets[i]; r < out.rows.offsets[i + 1]; ++r)
      index[r] += first - rows.offsets[sequences[i]];
    first += rows.length(sequences[i]);
  }
  out.index = absolute.to(read.index.device());
  return out;
}

}  // namespace

Tensor borrow(const MixedLayer& here, const std::vector<int64_t>& choice, const Tensor& own) {
  std::map<int64_t, std::vector<int64_t>> chosen;  // layer to sequences
  for (size_t s = 0; s < choice.size(); ++s) chosen[choice[s]].push_back(static_cast<int64_t>(s));
  const auto path = [&](int64_t j) {
    return CallPath{.position = here.position, .use = Use::borrowed, .layer = j};
  };
  if (chosen.size() == 1) {
    const CallPath one = path(choice[0]);
    if (choice[0] == here.position && own.defined()) return own;
    return here.stack.run({&one, 1}, here.z, here.rows, here.context, here.read)[0];
  }
  // Sort the sequences by their layers: one split of the rows and one gather of the outputs.
  std::vector<SelectedRows> in;
  std::vector<Tensor> in_order, out_order, parts;
  std::vector<int64_t> lengths;
  for (const auto& [j, sequences] : chosen) {
    in.push_back(select_sequences(here.rows, sequences));
    in_order.push_back(in.back().index);
    lengths.push_back(in.back().rows.tokens());
    out_order.push_back(here.read ? select_sequences(here.read->rows, sequences).index
                                  : in.back().index);
  }
  const RowOrder to_parts(at::cat(in_order, 0));
  const RowOrder to_outputs = here.read ? RowOrder(at::cat(out_order, 0)) : to_parts;
  const std::vector<Tensor> inputs =
      at::split_with_sizes(PermuteRows::apply(here.z, to_parts.forward, to_parts.inverse), lengths);
  size_t i = 0;
  for (const auto& [j, sequences] : chosen) {
    const size_t n = i++;
    if (j == here.position && own.defined()) {
      parts.push_back(own.index_select(0, out_order[n]));
      continue;
    }
    const CallPath one = path(j);
    std::optional<SelectedRows> part;
    if (here.read) part = select_read(*here.read, here.rows, sequences);
    parts.push_back(
        here.stack.run({&one, 1}, inputs[n], in[n].rows, here.context, part ? &*part : nullptr)[0]);
  }
  return PermuteRows::apply(at::cat(parts, 0), to_outputs.inverse,
                            to_outputs.forward);  // [out, D]
}

}  // namespace mixtune
