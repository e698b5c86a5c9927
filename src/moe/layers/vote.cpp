#include "moe/layers/vote.h"

#include <algorithm>

namespace molt {
namespace {

// How many tokens at the start of each sequence vote for it.
std::vector<int64_t> prompt_lengths(const Rows& rows, int64_t fallback) {
  std::vector<int64_t> out;
  for (int64_t s = 0; s < rows.sequences(); ++s) {
    const int64_t given = rows.prompt.empty() ? 0 : rows.prompt[s];
    out.push_back(given > 0 ? given : std::min(fallback, rows.length(s)));
  }
  return out;
}

// The first lengths[s] tokens of each sequence s.
SelectedRows starts_of(const Rows& rows, const std::vector<int64_t>& lengths) {
  SelectedRows out;
  out.rows.offsets.push_back(0);
  std::vector<int64_t> index;
  for (int64_t s = 0; s < rows.sequences(); ++s) {
    MOLT_CHECK(lengths[s] > 0 && lengths[s] <= rows.length(s), std::to_string(lengths[s]));
    for (int64_t n = 0; n < lengths[s]; ++n) index.push_back(rows.offsets[s] + n);
    out.rows.offsets.push_back(static_cast<int64_t>(index.size()));
  }
  out.index = at::tensor(index, at::kLong).to(rows.example.device());
  out.rows.example = rows.example.index_select(0, out.index);
  out.rows.token = rows.token.index_select(0, out.index);
  return out;
}

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

const SelectedRows& Voters::prompts() const {
  if (!prompts_) prompts_ = starts_of(all_, prompt_lengths(all_, pool_.prompt_tokens));
  return *prompts_;
}

Tensor Voters::means(const Tensor& x) const {
  if (is_batch()) return x.mean(0, true);
  Tensor sums = at::zeros({units(), x.size(1)}, x.options());
  sums = sums.index_add(0, rows().sequence_of_row(), x);
  std::vector<double> lengths;
  for (int64_t s = 0; s < units(); ++s) lengths.push_back(static_cast<double>(rows().length(s)));
  return sums / at::tensor(lengths).to(x.options()).unsqueeze(1);
}

Tensor Voters::to_rows(const Tensor& of_unit, const Rows& out) const {
  return of_unit.size(0) == 1 ? of_unit : of_unit.index_select(0, out.sequence_of_row());
}

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

}  // namespace molt
