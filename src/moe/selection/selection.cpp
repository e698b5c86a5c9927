#include "moe/selection/selection.h"

#include "moe/part_choices.h"

namespace mixtune {

const ChoiceTable& selection_choices() {
  static const PartChoices choices(selections(), "selection.name", "selection");
  return choices;
}

std::unique_ptr<Selection> make_selection(const Choice& choice) {
  return selections().get(choice.name, "selection.name", "selection").make(*choice.config);
}

Ranked ranked(const Tensor& probabilities) {
  auto [values, experts] = at::sort(probabilities.detach(), true, 1, true);
  return {experts, values};
}

Tensor Ranked::back(const Tensor& by_rank) const {
  return at::zeros_like(by_rank).scatter_(1, experts, by_rank);
}

Tensor first_ranks(int64_t experts, int64_t count, const at::TensorOptions& options) {
  return (at::arange(experts, options.dtype(at::kLong)) < count).to(options);
}

}  // namespace mixtune
