#include "nn/context.h"

namespace mixtune {

int64_t LossStatistics::add_site(int64_t columns) {
  columns_.push_back(columns);
  sums_.emplace_back();
  return static_cast<int64_t>(columns_.size()) - 1;
}

void LossStatistics::clear() {
  for (Tensor& sum : sums_) sum = Tensor();
}

void LossStatistics::add(int64_t site, const Tensor& sums) {
  MIXTUNE_CHECK(sums.dim() == 1 && sums.size(0) == columns_.at(site), shape_text(sums));
  Tensor& total = sums_[site];
  total = total.defined() ? total + sums : sums;
}

Tensor LossStatistics::sums(int64_t site, Reducer& reducer) const {
  Tensor total = sums_.at(site);
  MIXTUNE_CHECK(total.defined(), "no sums were added for site " + std::to_string(site));
  if (reducer.size() == 1) return total;
  // The sums of other processes enter as constants; each process computes its own gradients.
  Tensor everyone = total.detach().clone();
  reducer.all_reduce(everyone);
  return total + (everyone - total.detach());
}

void RoutingRecord::count(int64_t position, int64_t positions, int64_t layers,
                          const Decision& decision) {
  if (!choices.defined()) choices = at::zeros({positions, layers}, at::kLong);
  int64_t* row = choices.data_ptr<int64_t>() + position * layers;
  for (const int64_t layer : decision.choice) ++row[layer];
}

void RoutingRecord::add_entropy(int64_t position, int64_t positions, double sum, int64_t count) {
  entropy.resize(static_cast<size_t>(positions));
  tokens.resize(static_cast<size_t>(positions));
  entropy[position] += sum;
  tokens[position] += count;
}

const Decision& ForwardContext::route(const std::string& router, const CallPath& path,
                                      const std::function<Decision()>& make) {
  const auto key = std::make_pair(router, path);
  const auto found = decisions_.find(key);
  if (found != decisions_.end()) return found->second;
  return decisions_.emplace(key, make()).first->second;
}

void ForwardContext::pin(const std::string& router, const CallPath& path, Decision decision) {
  decisions_[std::make_pair(router, path)] = std::move(decision);
}

Tensor ForwardContext::pooled(const std::string& router, const CallPath& path,
                              const SequenceLayout& rows, const std::function<Tensor()>& make) {
  std::vector<Tensor>& values = pooled_[std::make_pair(router, path)];
  const std::vector<int64_t> sequences = rows.example_of_sequence();
  std::vector<Tensor> stored;
  for (const int64_t s : sequences) {
    if (s >= static_cast<int64_t>(values.size())) values.resize(static_cast<size_t>(s) + 1);
    if (values[s].defined()) stored.push_back(values[s]);
  }
  if (stored.size() == sequences.size()) return at::cat(stored, 0);
  MIXTUNE_CHECK(stored.empty(), "pooled values are stored for some of the sequences only");
  const Tensor made = make();
  MIXTUNE_CHECK(made.size(0) == rows.sequences(), shape_text(made));
  for (size_t s = 0; s < sequences.size(); ++s)
    values[sequences[s]] = made.narrow(0, static_cast<int64_t>(s), 1);
  return made;
}

void ForwardContext::keep_sequences(const std::vector<int64_t>& sequences) {
  for (auto& [key, decision] : decisions_) {
    if (decision.choice.size() == 1) continue;  // one for the whole batch
    std::vector<int64_t> kept;
    for (const int64_t s : sequences) kept.push_back(decision.choice.at(s));
    decision.choice = std::move(kept);
  }
  for (auto& [key, old] : pooled_) {
    std::vector<Tensor> kept;
    for (const int64_t s : sequences)
      kept.push_back(s < static_cast<int64_t>(old.size()) ? old[s] : Tensor());
    old = std::move(kept);
  }
  if (sequence_ids.empty()) return;
  std::vector<int64_t> kept;
  for (const int64_t s : sequences) kept.push_back(sequence_ids.at(s));
  sequence_ids = std::move(kept);
}

DropoutMask ForwardContext::mask(double probability, std::string_view site, const CallPath& path,
                                 std::string_view purpose, const SequenceLayout& rows) const {
  if (phase != Phase::train || probability == 0) return {};
  RandomKey key = derive(derive(seed, site), purpose);
  for (const int64_t word : {path.pass, path.position, static_cast<int64_t>(path.use), path.layer})
    key = derive(key, static_cast<uint64_t>(word));
  return {probability, key, static_cast<uint32_t>(step), rows.example, rows.token};
}

}  // namespace mixtune
