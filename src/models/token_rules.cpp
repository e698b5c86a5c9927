#include "models/token_rules.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

namespace mixtune {
namespace {

// The ids that would repeat an n-gram of the sequence.
std::vector<int32_t> completions(std::span<const int32_t> ids, int64_t n) {
  std::vector<int32_t> out;
  const auto size = static_cast<int64_t>(ids.size());
  if (size < n) return out;
  const std::span<const int32_t> end = ids.last(static_cast<size_t>(n - 1));
  for (int64_t i = 0; i + n <= size; ++i)
    if (std::equal(end.begin(), end.end(), ids.begin() + i)) out.push_back(ids[i + n - 1]);
  return out;
}

std::vector<double> probabilities(std::span<const float> logits) {
  const float largest = *std::max_element(logits.begin(), logits.end());
  std::vector<double> out(logits.size());
  double sum = 0;
  for (size_t i = 0; i < logits.size(); ++i)
    sum += out[i] = std::exp(static_cast<double>(logits[i]) - largest);
  for (double& p : out) p /= sum;
  return out;
}

// The indices of `values` in ascending order of the values.
std::vector<size_t> ascending(const std::vector<double>& values) {
  std::vector<size_t> order(values.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return values[a] < values[b]; });
  return order;
}

void keep_highest(std::span<float> logits, int64_t count) {
  if (count >= static_cast<int64_t>(logits.size())) return;
  std::vector<float> sorted(logits.begin(), logits.end());
  std::nth_element(sorted.begin(), sorted.begin() + (count - 1), sorted.end(), std::greater<>());
  const float last = sorted[static_cast<size_t>(count - 1)];
  for (float& x : logits)
    if (x < last) x = kForbidden;
}

void keep_top_p(std::span<float> logits, double mass) {
  const std::vector<double> p = probabilities(logits);
  const std::vector<size_t> order = ascending(p);
  double below = 0;
  for (size_t i = 0; i + 1 < order.size(); ++i) {  // the most probable token is always kept
    below += p[order[i]];
    if (below > 1 - mass) break;
    logits[order[i]] = kForbidden;
  }
}

void keep_likely(std::span<float> logits, double share) {
  const std::vector<double> p = probabilities(logits);
  const double least = share * *std::max_element(p.begin(), p.end());
  for (size_t i = 0; i < p.size(); ++i)
    if (p[i] < least) logits[i] = kForbidden;
}

void keep_typical(std::span<float> logits, double mass) {
  const std::vector<double> p = probabilities(logits);
  double entropy = 0;
  for (const double one : p)
    if (one > 0) entropy -= one * std::log(one);
  std::vector<double> distance;
  for (const double one : p)
    distance.push_back(one > 0 ? std::abs(-std::log(one) - entropy)
                               : std::numeric_limits<double>::infinity());
  // `furthest` is the distance of the token that reaches the mass; ties with it are kept.
  double kept = 0, furthest = 0;
  for (const size_t i : ascending(distance)) {
    furthest = distance[i];
    kept += p[i];
    if (kept >= mass) break;
  }
  for (size_t i = 0; i < distance.size(); ++i)
    if (distance[i] > furthest) logits[i] = kForbidden;
}

}  // namespace

bool TokenRules::is_stop(int64_t id) const {
  return std::find(stops.begin(), stops.end(), id) != stops.end();
}

void apply_rules(std::span<float> scores, const TokensSoFar& text, const TokenRules& rules) {
  if (rules.repetition_penalty != 1) {
    const auto penalty = static_cast<float>(rules.repetition_penalty);
    for (const int32_t id : std::set<int32_t>(text.ids.begin(), text.ids.end()))
      scores[id] = scores[id] < 0 ? scores[id] * penalty : scores[id] / penalty;
  }
  if (rules.no_repeat_ngram_size > 0)
    for (const int32_t id : completions(text.ids, rules.no_repeat_ngram_size))
      scores[id] = kForbidden;
  if (static_cast<int64_t>(text.ids.size()) - text.prompt < rules.min_new_tokens)
    for (const int32_t id : rules.stops) scores[id] = kForbidden;
}

void apply_filters(std::span<float> logits, const SamplingFilters& filters) {
  if (filters.temperature != 1)
    for (float& x : logits) x /= static_cast<float>(filters.temperature);
  if (filters.top_k > 0) keep_highest(logits, filters.top_k);
  if (filters.top_p < 1) keep_top_p(logits, filters.top_p);
  if (filters.min_p > 0) keep_likely(logits, filters.min_p);
  if (filters.typical_p < 1) keep_typical(logits, filters.typical_p);
}

}  // namespace mixtune
