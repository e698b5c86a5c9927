#include "moe/layers/vote.h"

#include <algorithm>

namespace mixtune {
namespace {

// Most votes, the smallest block on a tie.
int64_t majority(const std::vector<int64_t>& counts) {
  return std::max_element(counts.begin(), counts.end()) - counts.begin();
}

std::vector<int64_t> most_votes(const Tensor& scores, const Voters& voters) {
  const Tensor votes = scores.detach().argmax(1).to(at::kCPU);  // [V]
  const int64_t* vote = votes.const_data_ptr<int64_t>();
  std::vector<int64_t> out;
  for (int64_t u = 0; u < voters.units(); ++u) {
    std::vector<int64_t> counts(static_cast<size_t>(scores.size(1)));
    for (int64_t r = voters.begin(u); r < voters.end(u); ++r) ++counts[vote[r]];
    out.push_back(majority(counts));
  }
  return out;
}

std::vector<int64_t> highest_means(const Tensor& probabilities, const Voters& voters) {
  const Tensor best = voters.means(probabilities.detach()).argmax(1).to(at::kCPU);  // [U]
  const int64_t* first = best.const_data_ptr<int64_t>();
  return {first, first + voters.units()};
}

// A draw that depends on position, example and step, and not on packing.
std::vector<int64_t> uniform_draws(int64_t position, int64_t blocks, const Voters& voters,
                                   const ForwardContext& context) {
  const RandomKey key =
      derive(derive(context.seed, "molex.uniform"), static_cast<uint64_t>(position));
  const Tensor example = voters.rows().example.to(at::kCPU);
  std::vector<int64_t> out;
  for (int64_t u = 0; u < voters.units(); ++u) {
    const int64_t place = example.const_data_ptr<int64_t>()[voters.begin(u)];
    const int64_t id = context.numbers.empty() ? place : context.numbers.at(place);
    const uint64_t counter =
        (static_cast<uint64_t>(id) << 32) ^ static_cast<uint64_t>(context.step);
    out.push_back(static_cast<int64_t>(integer_draw(key, counter, blocks)));
  }
  return out;
}

}  // namespace

Decision decide(const RouterSpec& router, int64_t position, int64_t blocks, const GateScores& gate,
                const Voters& voters, const ForwardContext& context) {
  const auto all = [&](int64_t block) {
    return Decision{std::vector<int64_t>(static_cast<size_t>(voters.units()), block)};
  };
  switch (router.source) {
    case ChoiceSource::self:
      return all(position);
    case ChoiceSource::neighbour:
      return all(position + 1 < blocks ? position + 1 : std::max<int64_t>(position - 1, 0));
    case ChoiceSource::uniform:
      return {uniform_draws(position, blocks, voters, context)};
    case ChoiceSource::learned:
    case ChoiceSource::frozen:
      break;
  }
  return {router.pool.of == Pool::Of::votes ? most_votes(gate.scores, voters)
                                            : highest_means(gate.probabilities, voters)};
}

}  // namespace mixtune
