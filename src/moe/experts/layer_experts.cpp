// Layer experts (MoLEx, arXiv 2503.11144): the output of a mixed layer t is blended with that of
// the layer j that the gate selects, z' = a u_t(z) + o u_j(z). Layers are shared, never copied. The
// gate makes one decision per sequence (by all tokens or by its prompt) or per batch. Legend: T
// tokens, V pooled tokens, S sequences, L layers, D width; out: the rows of a layer's output.
#include <algorithm>

#include "moe/experts/adapters.h"
#include "moe/layers/blend.h"
#include "moe/layers/borrow.h"
#include "moe/loss/balance.h"
#include "moe/targets.h"
#include "nn/key_value_cache.h"

namespace mixtune {
namespace {

constexpr const char* kRouter = "molex";

// Compatibility: whether a mixed layer keeps one cache, the mean of both layers' (KeyValueCache).
bool averages(const ForwardContext& context) {
  return context.decode != nullptr && context.decode->averages();
}

class MolexAdapter final : public StackAdapter {
 public:
  MolexAdapter(const AdapterSpec& spec, std::vector<bool> mixed, int64_t layers)
      : router_(*spec.router),
        blend_(*spec.blend),
        matches_reference_(spec.matches_reference),
        mixed_(std::move(mixed)),
        layers_(layers) {}

  Tensor forward(LayerStack& stack, const Tensor& z, const SequenceLayout& rows,
                 ForwardContext& context, const SelectedRows* read) override {
    const PooledTokens pooled_tokens(router_.scope, rows);
    Tensor state = z;
    for (int64_t t = 0; t < stack.size(); ++t) {
      if (stack.hidden_states) stack.hidden_states->push_back(state.detach());
      const SelectedRows* part = t + 1 == stack.size() ? read : nullptr;
      const CallPath own{.position = t, .layer = t};
      state = mixed_[t] ? mix({stack, t, state, rows, context, part}, pooled_tokens)
                        : stack.run({&own, 1}, state, rows, context, part)[0];
    }
    if (stack.hidden_states) stack.hidden_states->push_back(state.detach());
    return state;
  }

  bool averages_cache() const override { return matches_reference_; }

  // One gate for all layers or one per layer, and likewise the weights. Public, because
  // LayerExperts fills them.
  std::vector<std::unique_ptr<Gate>> gates;
  std::vector<Tensor> own_weight, other_weight;  // learned: [1] each
  std::vector<std::optional<BalanceLoss>> balance;

 private:
  Tensor mix(const MixedLayer& here, const PooledTokens& pooled_tokens) {
    KeyValueCache* state = here.context.decode;
    const bool has_mean = averages(here.context);
    // In generation a pinned decision is reused, so the gate runs only if there is none.
    const bool is_lazy = state != nullptr && !has_mean && here.context.record == nullptr;
    GateScores gate;
    if (!is_lazy) gate = gate_scores(here, pooled_tokens);
    if (has_mean) vote_again(here, gate, pooled_tokens);
    const std::vector<int64_t> choice = route(here, gate, pooled_tokens);  // [S]
    if (!has_mean) return mix(here, gate, pooled_tokens, choice);
    const CallPath own{.position = here.position, .layer = here.position};
    std::vector<CallPath> others;
    for (const int64_t j : choice)
      others.push_back({.position = here.position, .use = Use::borrowed, .layer = j});
    for (const CallPath& other : others) state->copy(own, other);
    const Tensor mixed = mix(here, gate, pooled_tokens, choice);  // [out, D]
    const auto [a, o] = weights(here.position);
    state->average(own, others, a, o);
    return mixed;
  }

  // Compatibility: each decoding step makes a new decision from its own tokens.
  void vote_again(const MixedLayer& here, const GateScores& gate,
                  const PooledTokens& pooled_tokens) const {
    const int64_t t = here.position;
    here.context.pin(kRouter, {.position = t, .layer = t},
                     decide(router_, t, layers_, gate, pooled_tokens, here.context));
  }

  // The weights of the own and the borrowed output at a mixed layer.
  std::pair<double, double> weights(int64_t position) const {
    if (!blend_.learned) return {blend_.own, blend_.other};
    const size_t i = blend_.per_site ? position : 0;
    const Tensor two = at::cat({own_weight[i], other_weight[i]}).detach();
    const Tensor used = (blend_.raw ? two : at::softmax(two, 0)).to(at::kCPU, at::kDouble);
    return {used[0].item<double>(), used[1].item<double>()};
  }

  Tensor mix(const MixedLayer& here, const GateScores& gate, const PooledTokens& pooled_tokens,
             const std::vector<int64_t>& choice) {
    const int64_t t = here.position;
    const CallPath own_path{.position = t, .layer = t};
    const Tensor own =
        here.stack.run({&own_path, 1}, here.z, here.rows, here.context, here.read)[0];  // [out, D]
    // A layer that selects itself gives the same output twice unless it uses random numbers; an
    // averaged cache needs the keys and values of both runs.
    const bool once = !matches_reference_ && !averages(here.context) &&
                      !(here.context.phase == Phase::train && here.stack.is_random());
    const bool all_self =
        std::all_of(choice.begin(), choice.end(), [&](int64_t j) { return j == t; });
    if (all_self && once && router_.gradient == GateGradient::none) return scale_own(own, t);
    const Tensor borrowed = borrow(here, choice, once ? own : Tensor());  // [out, D]
    const size_t i = blend_.per_site ? t : 0;
    return blended(
        own,
        pulled(own, borrowed, {router_.gradient, t, choice, gate, pooled_tokens}, here.out_rows()),
        blend_, blend_.learned ? own_weight[i] : Tensor(),
        blend_.learned ? other_weight[i] : Tensor());
  }

  // a u + o u = (a + o) u; exactly u where the weights sum to one.
  Tensor scale_own(const Tensor& own, int64_t position) const {
    const size_t i = blend_.per_site ? position : 0;
    if (blend_.raw) return own * (own_weight[i] + other_weight[i]);
    if (blend_.learned || blend_.own + blend_.other == 1.0) return own;
    return own * (blend_.own + blend_.other);
  }

  GateScores gate_scores(const MixedLayer& here, const PooledTokens& pooled_tokens) const {
    if (gates.empty()) return {};
    const Gate& gate = *gates[router_.per_site ? here.position : 0];
    const Tensor z =
        pooled_tokens.of(router_.scope.detach_first ? here.z.detach() : here.z);  // [V, D]
    const Tensor scores = gate.forward(z, pooled_tokens.rows());                  // [V, L]
    return {scores, at::softmax(scores, 1)};
  }

  // The selected layer of each sequence, from a pinned decision or a new one; computes `gate` if a
  // new decision needs it.
  std::vector<int64_t> route(const MixedLayer& here, GateScores& gate,
                             const PooledTokens& pooled_tokens) const {
    const int64_t t = here.position;
    ForwardContext& context = here.context;
    const Decision& decision = context.route(kRouter, {.position = t, .layer = t}, [&] {
      if (!gate.scores.defined()) gate = gate_scores(here, pooled_tokens);
      return decide(router_, t, layers_, gate, pooled_tokens, context);
    });
    if (!balance.empty() && balance[t] && gate.probabilities.defined())
      balance[t]->accumulate(gate.probabilities, decision.choice, context.loss_statistics);
    if (context.record) record(*context.record, t, gate, decision);
    std::vector<int64_t> choice = decision.choice;
    if (choice.size() == 1) choice.resize(here.rows.sequences(), decision.choice[0]);
    MIXTUNE_CHECK(static_cast<int64_t>(choice.size()) == here.rows.sequences(), "choices");
    for (const int64_t j : choice)
      MIXTUNE_CHECK(j >= 0 && j < layers_, "layer " + std::to_string(j));
    return choice;
  }

  void record(RoutingRecord& out, int64_t t, const GateScores& gate,
              const Decision& decision) const {
    out.count(t, layers_, layers_, decision);
    if (!gate.probabilities.defined()) return;
    const Tensor p = gate.probabilities.detach();
    out.add_entropy(t, layers_, -at::xlogy(p, p).sum().item<double>(), p.size(0));
    if (out.keeps_probabilities) out.probabilities[t] = p;
  }

  RouterSpec router_;
  Blend blend_;
  bool matches_reference_;
  std::vector<bool> mixed_;
  int64_t layers_;
};

std::string numbered(const std::string& stem, bool per_site, int64_t t) {
  return per_site ? stem + "." + std::to_string(t) : stem;
}

// Whether the gate has a gradient path. Without one it is stored as a buffer, so weight decay does
// not change it.
bool gate_learns(const AdapterSpec& s) {
  return s.router->source == ChoiceSource::learned &&
         (s.balance > 0 || s.router->gradient != GateGradient::none);
}

void attach_gates(const AdapterSpec& spec, const std::vector<bool>& mixed, const Sites& sites,
                  MolexAdapter& adapter, Attachment& attachment) {
  const RouterSpec& router = *spec.router;
  const GateShape shape{sites.width, sites.stack->size(), sites.initializer_range,
                        sites.weights.front().storage->options()};
  for (int64_t t = 0; t < (router.per_site ? sites.stack->size() : 1); ++t) {
    const std::string stem = numbered("molex.gate", router.per_site, t) + ".";
    adapter.gates.push_back(make_gate(router.gate, shape, derive(attachment.seed, stem)));
    if (router.per_site && !mixed[t]) continue;
    int64_t count = 0;
    for (auto& [name, tensor] : adapter.gates.back()->tensors()) {
      if (gate_learns(spec)) {
        count += tensor->numel();
        // As in the authors' code, weight decay applies to biases too.
        attachment.train(tensor, stem + name, "gate", true);
      } else {
        attachment.freeze(tensor, stem + name);
      }
    }
    attachment.note(stem.substr(0, stem.size() - 1),
                    router.gate.name + (gate_learns(spec) ? " gate" : " gate, frozen"), count);
  }
}

}  // namespace

void LayerExperts::attach(const AdapterSpec& spec, Sites& sites, Attachment& attachment) const {
  MIXTUNE_CHECK(spec.router && spec.blend, "layer experts need a router and a blend");
  LayerStack& stack = *sites.stack;
  if (stack.adapter)
    throw UserError(method, "another method already mixes the layers of the model",
                    "Remove one of the two.");
  const auto& layers = spec.sites.layers;
  if (!layers || !layers->empty()) check_layer_choice(spec.sites, sites, method);
  std::vector<bool> is_mixed(static_cast<size_t>(stack.size()), !layers);
  for (const int64_t t : layers.value_or(std::vector<int64_t>())) is_mixed[t] = true;
  const RoutingScope& scope = spec.router->scope;
  if (causal && !scope.is_causal())
    attachment.warnings.push_back(warning_of_later_tokens(scope, method));
  auto adapter = std::make_shared<MolexAdapter>(spec, is_mixed, stack.size());
  const ChoiceSource source = spec.router->source;
  if (source == ChoiceSource::learned || source == ChoiceSource::frozen)
    attach_gates(spec, is_mixed, sites, *adapter, attachment);
  attachment.groups["gate"] = spec.router->settings;

  const Blend& blend = *spec.blend;
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
  if (spec.balance > 0 && source == ChoiceSource::learned) {
    adapter->balance.resize(static_cast<size_t>(stack.size()));
    for (int64_t t = 0; t < stack.size(); ++t)
      if (is_mixed[t]) adapter->balance[t].emplace(stack.size(), attachment.loss_statistics);
    // The unweighted loss is the sum over mixed layers.
    attachment.losses.push_back({"balance", spec.balance,
                                 [adapter](const LossStatistics& table, Reducer& reducer) {
                                   Tensor sum;
                                   for (const auto& site : adapter->balance) {
                                     if (!site) continue;
                                     const Tensor term = site->finalize(table, reducer);
                                     sum = sum.defined() ? sum + term : term;
                                   }
                                   return sum;
                                 },
                                 // Only the authors' RoBERTa code adds it in evaluation.
                                 spec.matches_reference && !causal});
  }
  stack.adapter = adapter;
}

}  // namespace mixtune
