// Layer experts (MoLEx, arXiv 2503.11144): at a mixed position t the block's own output is blended
// with that of the block j which the gate chose, z' = a u_t(z) + o u_j(z). Blocks are borrowed,
// never copied. The gate decides once for a unit: a sequence, or the batch. Legend: T tokens, S
// sequences, L blocks, D width, U units; out: the rows of a block's output.
#include <algorithm>
#include <cmath>

#include "moe/bank/banks.h"
#include "moe/loss/balance.h"
#include "moe/score/score.h"

namespace molt {
namespace {

constexpr const char* kRouter = "molex";

// An order of rows and the order that undoes it; [T] int64 each.
struct RowOrder {
  Tensor forward, inverse;

  explicit RowOrder(Tensor order) : forward(std::move(order)), inverse(at::empty_like(forward)) {
    inverse.index_copy_(0, forward, at::arange(forward.size(0), forward.options()));
  }
};

// Rows in another order: the backward pass is the inverse order, no scatter.
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

// The rows that are read of some of the sequences, counted in the rows of those sequences alone.
SelectedRows select_read(const SelectedRows& read, const Rows& rows,
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

// The choice of a unit that votes: most votes, the smallest block id on a tie.
int64_t majority(const std::vector<int64_t>& counts) {
  return std::max_element(counts.begin(), counts.end()) - counts.begin();
}

class MolexAdapter final : public StackAdapter {
 public:
  MolexAdapter(const Sentence& sentence, std::vector<bool> mixed, int64_t blocks)
      : router_(*sentence.router),
        blend_(*sentence.blend),
        evaluate_twice_(sentence.evaluate_twice),
        mixed_(std::move(mixed)),
        blocks_(blocks) {}

  Tensor forward(LayerStack& stack, const Tensor& z, const Rows& rows, ForwardContext& context,
                 const SelectedRows* read) override {
    Tensor state = z;
    for (int64_t t = 0; t < stack.size(); ++t) {
      if (stack.hidden_states) stack.hidden_states->push_back(state.detach());
      const SelectedRows* part = t + 1 == stack.size() ? read : nullptr;
      const CallPath own{.position = t, .block = t};
      state = mixed_[t] ? mix(stack, t, state, rows, context, part)
                        : stack.run({&own, 1}, state, rows, context, part)[0];
    }
    if (stack.hidden_states) stack.hidden_states->push_back(state.detach());
    return state;
  }

  // One gate for all positions, or one for each of them; alpha alike. Public: the bank fills them.
  std::vector<std::unique_ptr<Score>> gates;
  std::vector<Tensor> own_weight, other_weight;  // learned: logits, [1] each
  std::vector<std::optional<BalanceLoss>> balance;

 private:
  struct Routed {
    std::vector<int64_t> choice;   // [S]
    Tensor scores, probabilities;  // [T, L]; undefined for controls without a gate
  };

  Tensor mix(LayerStack& stack, int64_t t, const Tensor& z, const Rows& rows,
             ForwardContext& context, const SelectedRows* read) {
    const CallPath own_path{.position = t, .block = t};
    const Routed routed = route(t, z, rows, context);
    const Tensor own = stack.run({&own_path, 1}, z, rows, context, read)[0];  // [out, D]
    const bool once = !evaluate_twice_ && !(context.phase == Phase::train && stack.is_random());
    const bool all_self =
        std::all_of(routed.choice.begin(), routed.choice.end(), [&](int64_t j) { return j == t; });
    if (all_self && once && router_.gradient == GateGradient::none) return scale_own(own);
    const Tensor borrowed =
        once && all_self ? own : borrow(stack, t, routed, own, once, z, rows, context, read);
    return combine(t, routed, own, borrowed, rows, read);
  }

  // a u + o u = (a + o) u; exactly u where the weights sum to one.
  Tensor scale_own(const Tensor& own) const {
    if (blend_.learned || blend_.own + blend_.other == 1.0) return own;
    return own * (blend_.own + blend_.other);
  }

  Routed route(int64_t t, const Tensor& z, const Rows& rows, ForwardContext& context) {
    Routed out;
    if (!gates.empty()) {
      const Score& gate = *gates[router_.per_site ? t : 0];
      out.scores = gate.forward(router_.pool.detach_first ? z.detach() : z, rows);  // [T, L]
      out.probabilities = at::softmax(out.scores, 1);                               // [T, L]
    }
    const Decision& decision = context.route(kRouter, {.position = t, .block = t},
                                             [&] { return decide(t, out, rows, context); });
    if (!balance.empty() && balance[t])
      balance[t]->measure(out.probabilities, decision.choice, context.measures);
    if (context.record) {
      context.record->count(t, blocks_, blocks_, decision);
      if (out.probabilities.defined()) {
        const Tensor p = out.probabilities.detach();
        context.record->add_entropy(t, blocks_, -at::xlogy(p, p).sum().item<double>(), p.size(0));
        if (context.record->keeps_probabilities) context.record->probabilities[t] = p;
      }
    }
    out.choice = decision.choice;
    if (out.choice.size() == 1) out.choice.resize(rows.sequences(), decision.choice[0]);
    MOLT_CHECK(static_cast<int64_t>(out.choice.size()) == rows.sequences(), "choices");
    for (const int64_t j : out.choice)
      MOLT_CHECK(j >= 0 && j < blocks_, "block " + std::to_string(j));
    return out;
  }

  // One choice for each unit, on the host: the one synchronisation of a mixed position.
  Decision decide(int64_t t, const Routed& routed, const Rows& rows,
                  const ForwardContext& context) const {
    const bool batch = router_.pool.unit == Pool::Unit::batch;
    const int64_t units = batch ? 1 : rows.sequences();
    Decision out;
    if (router_.source == ChoiceSource::self) {
      out.choice.assign(units, t);
    } else if (router_.source == ChoiceSource::neighbour) {
      out.choice.assign(units, t + 1 < blocks_ ? t + 1 : std::max<int64_t>(t - 1, 0));
    } else if (router_.source == ChoiceSource::uniform) {
      const RandomKey key = derive(derive(context.seed, "molex.uniform"), static_cast<uint64_t>(t));
      const Tensor example = rows.example.to(at::kCPU);
      for (int64_t u = 0; u < units; ++u) {
        const int64_t id = example.data_ptr<int64_t>()[rows.offsets[u]];
        const uint64_t counter =
            (static_cast<uint64_t>(id) << 32) ^ static_cast<uint64_t>(context.step);
        out.choice.push_back(static_cast<int64_t>(integer_draw(key, counter, blocks_)));
      }
    } else if (router_.pool.of == Pool::Of::votes) {
      const Tensor votes = routed.scores.detach().argmax(1).to(at::kCPU);  // [T]
      const int64_t* vote = votes.data_ptr<int64_t>();
      for (int64_t u = 0; u < units; ++u) {
        std::vector<int64_t> counts(static_cast<size_t>(blocks_));
        const int64_t end = batch ? rows.tokens() : rows.offsets[u + 1];
        for (int64_t r = batch ? 0 : rows.offsets[u]; r < end; ++r) ++counts[vote[r]];
        out.choice.push_back(majority(counts));
      }
    } else {
      const Tensor means = unit_means(routed.probabilities.detach(), rows).argmax(1).to(at::kCPU);
      for (int64_t u = 0; u < units; ++u) out.choice.push_back(means.data_ptr<int64_t>()[u]);
    }
    return out;
  }

  // Means over the tokens of each unit: [T, C] to [U, C].
  Tensor unit_means(const Tensor& x, const Rows& rows) const {
    if (router_.pool.unit == Pool::Unit::batch) return x.mean(0, true);
    Tensor sums = at::zeros({rows.sequences(), x.size(1)}, x.options());
    sums = sums.index_add(0, rows.sequence_of_row(), x);
    std::vector<double> lengths;
    for (int64_t s = 0; s < rows.sequences(); ++s)
      lengths.push_back(static_cast<double>(rows.length(s)));
    return sums / at::tensor(lengths).to(x.options()).unsqueeze(1);
  }

  // u_j(z) for every sequence: one call where all chose alike, else one call for each block that
  // was chosen.
  Tensor borrow(LayerStack& stack, int64_t t, const Routed& routed, const Tensor& own, bool once,
                const Tensor& z, const Rows& rows, ForwardContext& context,
                const SelectedRows* read) const {
    std::map<int64_t, std::vector<int64_t>> chosen;  // block to sequences
    for (size_t s = 0; s < routed.choice.size(); ++s)
      chosen[routed.choice[s]].push_back(static_cast<int64_t>(s));
    const auto path = [&](int64_t j) {
      return CallPath{.position = t, .use = Use::borrowed, .block = j};
    };
    if (chosen.size() == 1) {
      const CallPath one = path(chosen.begin()->first);
      return stack.run({&one, 1}, z, rows, context, read)[0];
    }
    // The sequences in the order of their blocks: one split of the rows, one gather of the outputs.
    const Rows& out_rows = read ? read->rows : rows;
    std::vector<SelectedRows> in;
    std::vector<Tensor> in_order, out_order, parts;
    std::vector<int64_t> lengths;
    for (const auto& [j, sequences] : chosen) {
      in.push_back(select_sequences(rows, sequences));
      in_order.push_back(in.back().index);
      lengths.push_back(in.back().rows.tokens());
      out_order.push_back(read ? select_sequences(out_rows, sequences).index : in.back().index);
    }
    const RowOrder to_parts(at::cat(in_order, 0));
    const RowOrder to_outputs = read ? RowOrder(at::cat(out_order, 0)) : to_parts;
    const std::vector<Tensor> inputs =
        at::split_with_sizes(PermuteRows::apply(z, to_parts.forward, to_parts.inverse), lengths);
    size_t i = 0;
    for (const auto& [j, sequences] : chosen) {
      const size_t n = i++;
      if (j == t && once) {
        parts.push_back(own.index_select(0, out_order[n]));
        continue;
      }
      const CallPath one = path(j);
      std::optional<SelectedRows> part;
      if (read) part = select_read(*read, rows, sequences);
      parts.push_back(
          stack.run({&one, 1}, inputs[n], in[n].rows, context, part ? &*part : nullptr)[0]);
    }
    return PermuteRows::apply(at::cat(parts, 0), to_outputs.inverse,
                              to_outputs.forward);  // [out, D]
  }

  // [U, 1] to one factor for each output row.
  Tensor to_rows(const Tensor& units, const Rows& rows, const SelectedRows* read) const {
    if (units.size(0) == 1) return units;
    return units.index_select(0, (read ? read->rows : rows).sequence_of_row());
  }

  Tensor combine(int64_t t, const Routed& routed, const Tensor& own, const Tensor& borrowed,
                 const Rows& rows, const SelectedRows* read) const {
    Tensor factor;  // of the borrowed output: [1, 1] or [out, 1]; undefined: one
    Tensor other = borrowed;
    if (router_.gradient != GateGradient::none) {
      const Tensor choice = at::tensor(routed.choice).to(own.device()).unsqueeze(1);  // [S, 1]
      const bool batch = router_.pool.unit == Pool::Unit::batch;
      const Tensor of_unit = batch ? choice.narrow(0, 0, 1) : choice;  // [U, 1]
      if (router_.gradient == GateGradient::probability) {
        // z' = a u_t + o (p_j / stop(p_j)) u_j
        const Tensor p = unit_means(routed.probabilities, rows).gather(1, of_unit);  // [U, 1]
        factor = to_rows(p / p.detach(), rows, read);
      } else {
        // z' = a u_t + o (u_j + (c - stop(c)) (u_j - u_t)), c = sigmoid(s_j - s_t)
        const Tensor s = unit_means(routed.scores, rows);                        // [U, L]
        const Tensor c = at::sigmoid(s.gather(1, of_unit) - s.narrow(1, t, 1));  // [U, 1]
        other = borrowed + to_rows(c - c.detach(), rows, read) * (borrowed - own);
      }
    }
    if (factor.defined()) other = other * factor;
    if (!blend_.learned) return at::add(own * blend_.own, other, blend_.other);
    const size_t i = blend_.per_site ? t : 0;
    const Tensor weights = at::softmax(at::cat({own_weight[i], other_weight[i]}), 0);  // [2]
    return own * weights[0] + other * weights[1];
  }

  RouterSpec router_;
  Blend blend_;
  bool evaluate_twice_;
  std::vector<bool> mixed_;
  int64_t blocks_;
};

std::string numbered(const std::string& stem, bool per_site, int64_t t) {
  return per_site ? stem + "." + std::to_string(t) : stem;
}

// Whether any gradient can reach the gate; one that none can reach is a buffer, not a parameter
// that decays.
bool gate_learns(const Sentence& s) {
  return s.router->source == ChoiceSource::learned &&
         (s.balance > 0 || s.router->gradient != GateGradient::none);
}

void attach_gates(const Sentence& sentence, const std::vector<bool>& mixed, const Sites& sites,
                  MolexAdapter& adapter, Attachment& attachment) {
  const RouterSpec& router = *sentence.router;
  const ScoreShape shape{sites.width, sites.stack->size(), sites.initializer_range,
                         sites.weights.front().storage->options()};
  for (int64_t t = 0; t < (router.per_site ? sites.stack->size() : 1); ++t) {
    const std::string stem = numbered("molex.gate", router.per_site, t) + ".";
    adapter.gates.push_back(make_score(router.score, shape, derive(attachment.seed, stem)));
    if (router.per_site && !mixed[t]) continue;
    int64_t count = 0;
    for (auto& [name, tensor] : adapter.gates.back()->tensors()) {
      if (gate_learns(sentence)) {
        count += tensor->numel();
        attachment.train(tensor, stem + name, "gate", true);  // biases decay too, as released
      } else {
        attachment.freeze(tensor, stem + name);
      }
    }
    attachment.note(stem.substr(0, stem.size() - 1),
                    router.score.part + (gate_learns(sentence) ? " gate" : " gate, frozen"), count);
  }
}

}  // namespace

void LayerBank::attach(const Sentence& sentence, Sites& sites, Attachment& attachment) const {
  MOLT_CHECK(sentence.router && sentence.blend, "layer experts need a router and a blend");
  LayerStack& stack = *sites.stack;
  MOLT_CHECK(!stack.adapter, "two adapters at the layer stack");
  std::vector<bool> is_mixed(static_cast<size_t>(stack.size()));
  for (const int64_t t : mixed) {
    if (t < 0 || t >= stack.size())
      throw UserError("molex.layers",
                      "names layer " + std::to_string(t) + "; the model has layers 0 to " +
                          std::to_string(stack.size() - 1),
                      "Correct the list.");
    is_mixed[t] = true;
  }
  auto adapter = std::make_shared<MolexAdapter>(sentence, is_mixed, stack.size());
  const ChoiceSource source = sentence.router->source;
  if (source == ChoiceSource::learned || source == ChoiceSource::frozen)
    attach_gates(sentence, is_mixed, sites, *adapter, attachment);
  attachment.groups["gate"] = sentence.router->settings;

  const Blend& blend = *sentence.blend;
  if (blend.learned) {
    const at::TensorOptions options = sites.weights.front().storage->options();
    const int64_t count = blend.per_site ? stack.size() : 1;
    for (int64_t t = 0; t < count; ++t) {
      adapter->own_weight.push_back(at::full({1}, blend.own, options));
      adapter->other_weight.push_back(at::full({1}, blend.other, options));
    }
    for (int64_t t = 0; t < count; ++t) {
      if (blend.per_site && !is_mixed[t]) continue;
      const std::string stem = numbered("molex.alpha", blend.per_site, t);
      attachment.train(&adapter->own_weight[t], stem + ".main", "gate", true);
      attachment.train(&adapter->other_weight[t], stem + ".other", "gate", true);
      attachment.note(stem, "mixing weights", 2);
    }
  }
  if (sentence.balance > 0 && source == ChoiceSource::learned) {
    adapter->balance.resize(static_cast<size_t>(stack.size()));
    for (int64_t t = 0; t < stack.size(); ++t)
      if (is_mixed[t]) adapter->balance[t].emplace(stack.size(), attachment.measures);
    // The unweighted loss is the sum over mixed positions.
    attachment.losses.push_back({"balance", sentence.balance,
                                 [adapter](const MeasureTable& table, Reducer& reducer) {
                                   Tensor sum;
                                   for (const auto& site : adapter->balance) {
                                     if (!site) continue;
                                     const Tensor term = site->formula(table, reducer);
                                     sum = sum.defined() ? sum + term : term;
                                   }
                                   return sum;
                                 },
                                 sentence.evaluate_twice});
  }
  stack.adapter = adapter;
}

}  // namespace molt
