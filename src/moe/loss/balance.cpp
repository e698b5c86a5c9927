#include "moe/loss/balance.h"

namespace mixtune {

// Columns of the table: E counts of decisions, E sums of probabilities, the number of decisions,
// the number of tokens.

BalanceLoss::BalanceLoss(int64_t experts, LossStatistics& layout)
    : experts_(experts), site_(layout.add_site(2 * experts + 2)) {}

void BalanceLoss::accumulate(const Tensor& probabilities, const std::vector<int64_t>& choice,
                             LossStatistics& table) const {
  const Tensor counts = at::zeros({experts_}, at::kDouble);
  for (const int64_t expert : choice) counts.data_ptr<double>()[expert] += 1;
  const Tensor totals =
      at::tensor({static_cast<double>(choice.size()), static_cast<double>(probabilities.size(0))});
  table.add(site_, at::cat({counts.to(probabilities.options()), probabilities.sum(0),
                            totals.to(probabilities.options())}));
}

Tensor BalanceLoss::finalize(const LossStatistics& table, Reducer& reducer) const {
  const Tensor sums = table.sums(site_, reducer);
  const Tensor share = sums.narrow(0, 0, experts_) / sums[2 * experts_];
  const Tensor mean = sums.narrow(0, experts_, experts_) / sums[2 * experts_ + 1];
  return static_cast<double>(experts_) * (share * mean).sum();
}

}  // namespace mixtune
