#include "moe/layers/vote.h"

#include <algorithm>

namespace mixtune {
namespace {

// The layer with most votes, on a tie the lowest index.
int64_t majority(const std::vector<int64_t>& counts) {
  return std::max_element(counts.begin(), counts.end()) - counts.begin();
}

std::vector<int64_t> most_votes(const Tensor& scores, const PooledTokens& pooled_tokens) {
  const Tensor votes = scores.detach().argmax(1).to(at::kCPU);  // [V]
  const int64_t* vote = votes.const_data_ptr<int64_t>();
  std::vector<int64_t> out;
  for (int64_t u = 0; u < pooled_tokens.units(); ++u) {
    std::vector<int64_t> counts(static_cast<size_t>(scores.size(1)));
    for (int64_t r = pooled_tokens.begin(u); r < pooled_tokens.end(u); ++r) ++counts[vote[r]];
    out.push_back(majority(counts));
  }
  return out;
}

std::vector<int64_t> highest_means(const Tensor& probabilities, const PooledTokens& pooled_tokens) {
  const Tensor best = pooled_tokens.means(probabilities.detach()).argmax(1).to(at::kCPU);  // [U]
  const int64_t* first = best.const_data_ptr<int64_t>();
  return {first, first + pooled_tokens.units()};
}

// Random choices that depend on position, example and step, but not on packing.
std::vector<int64_t> uniform_draws(int64_t position, int64_t layers,
                                   const PooledTokens& pooled_tokens,
                                   const ForwardContext& context) {
  const RandomKey key =
      derive(derive(context.seed, "molex.uniform"), static_cast<uint64_t>(position));
  const Tensor example = pooled_tokens.rows().example.to(at::kCPU);
  std::vector<int64_t> out;
  for (int64_t u = 0; u < pooled_tokens.units(); ++u) {
    const int64_t place = example.const_data_ptr<int64_t>()[pooled_tokens.begin(u)];
    const int64_t id = context.sequence_ids.empty() ? place : context.sequence_ids.at(place);
    const uint64_t counter =
        (static_cast<uint64_t>(id) << 32) ^ static_cast<uint64_t>(context.step);
    out.push_back(static_cast<int64_t>(random_integer(key, counter, layers)));
  }
  return out;
}

}  // namespace

Decision decide(const RouterSpec& router, int64_t position, int64_t layers, const GateScores& gate,
                const PooledTokens& pooled_tokens, const ForwardContext& context) {
  const auto all = [&](int64_t layer) {
    return Decision{std::vector<int64_t>(static_cast<size_t>(pooled_tokens.units()), layer)};
  };
  switch (router.source) {
    case ChoiceSource::self:
      return all(position);
    case ChoiceSource::neighbor:
      return all(position + 1 < layers ? position + 1 : std::max<int64_t>(position - 1, 0));
    case ChoiceSource::uniform:
      return {uniform_draws(position, layers, pooled_tokens, context)};
    case ChoiceSource::learned:
    case ChoiceSource::frozen:
      break;
  }
  return {router.scope.of == RoutingScope::Of::votes
              ? most_votes(gate.scores, pooled_tokens)
              : highest_means(gate.probabilities, pooled_tokens)};
}

}  // namespace mixtune
