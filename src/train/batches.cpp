#include "train/batches.h"

#include <algorithm>

#include "base/error.h"

namespace mixtune {
namespace {

// Size of a packing window in bins: large enough for full bins, small enough to keep the shuffle.
constexpr int64_t kWindow = 64;

}  // namespace

BatchPlan::BatchPlan(std::vector<int64_t> lengths, BatchOptions options, RandomKey key)
    : lengths_(std::move(lengths)), options_(options), key_(derive(key, "order")) {
  if (!options_.batch_tokens || lengths_.empty()) return;
  const int64_t longest = *std::max_element(lengths_.begin(), lengths_.end());
  if (longest > *options_.batch_tokens)
    throw UserError("train.batch_tokens",
                    "is " + std::to_string(*options_.batch_tokens) +
                        "; the longest training example has " + std::to_string(longest) + " tokens",
                    "Raise it to at least that, or lower task.max_length.");
}

std::vector<StepBatches> BatchPlan::epoch(int64_t number) const {
  const auto count = static_cast<int64_t>(lengths_.size());
  const auto order = permutation(derive(key_, static_cast<uint64_t>(number)), count);
  std::vector<MicroBatch> batches =
      options_.batch_tokens ? by_tokens(order, number) : by_count(order);
  std::vector<StepBatches> steps;
  for (size_t i = 0; i < batches.size(); ++i) {
    if (i % static_cast<size_t>(options_.accumulate) == 0) steps.emplace_back();
    steps.back().push_back(std::move(batches[i]));
  }
  return steps;
}

int64_t BatchPlan::steps_in(int64_t number) const {
  if (options_.batch_tokens) return static_cast<int64_t>(epoch(number).size());
  const auto ceil_div = [](int64_t a, int64_t b) { return (a + b - 1) / b; };
  return ceil_div(ceil_div(static_cast<int64_t>(lengths_.size()), options_.batch_size),
                  options_.accumulate);
}

std::vector<MicroBatch> BatchPlan::by_count(const std::vector<int64_t>& order) const {
  std::vector<MicroBatch> out;
  for (size_t i = 0; i < order.size(); ++i) {
    if (i % static_cast<size_t>(options_.batch_size) == 0) out.emplace_back();
    out.back().push_back(order[i]);
  }
  return out;
}

std::vector<MicroBatch> BatchPlan::by_tokens(const std::vector<int64_t>& order,
                                             int64_t epoch) const {
  const int64_t budget = *options_.batch_tokens;
  std::vector<MicroBatch> bins;
  for (size_t begin = 0; begin < order.size();) {
    size_t end = begin;
    for (int64_t tokens = 0; end < order.size() && tokens < kWindow * budget; ++end)
      tokens += lengths_[order[end]];
    MicroBatch window(order.begin() + begin, order.begin() + end);
    // First-fit decreasing; equal lengths stay in shuffled order.
    std::stable_sort(window.begin(), window.end(),
                     [&](int64_t a, int64_t b) { return lengths_[a] > lengths_[b]; });
    const size_t first_bin = bins.size();
    std::vector<int64_t> space;
    for (const int64_t example : window) {
      size_t bin = 0;
      while (bin < space.size() && space[bin] < lengths_[example]) ++bin;
      if (bin == space.size()) {
        space.push_back(budget);
        bins.emplace_back();
      }
      space[bin] -= lengths_[example];
      bins[first_bin + bin].push_back(example);
    }
    begin = end;
  }
  const RandomKey key = derive(derive(key_, "bins"), static_cast<uint64_t>(epoch));
  std::vector<MicroBatch> out;
  for (const int64_t bin : permutation(key, static_cast<int64_t>(bins.size())))
    out.push_back(std::move(bins[bin]));
  return out;
}

std::vector<MicroBatch> cut_by_tokens(const std::vector<int64_t>& order,
                                      const std::vector<int64_t>& lengths, int64_t budget) {
  std::vector<MicroBatch> out;
  int64_t tokens = 0;
  for (const int64_t example : order) {
    if (out.empty() || tokens + lengths[example] > budget) {
      out.emplace_back();
      tokens = 0;
    }
    out.back().push_back(example);
    tokens += lengths[example];
  }
  return out;
}

}  // namespace mixtune
