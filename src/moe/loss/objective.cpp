#include "moe/loss/objective.h"

namespace molt {
namespace {

class ObjectiveChoices final : public ChoiceTable {
 public:
  std::vector<std::string> names() const override { return objectives().names(); }
  std::unique_ptr<Config> make(const std::string& name) const override {
    return objectives().get(name, "losses.name", "auxiliary loss").config();
  }
};

Tensor plus(const Tensor& total, const Tensor& term) {
  return total.defined() ? total + term : term;
}

}  // namespace

const ChoiceTable& objective_choices() {
  static const ObjectiveChoices choices;
  return choices;
}

void ObjectiveConfig::fields(FieldVisitor& v) {
  v.field("weight", weight, "What the loss is multiplied with.", {.minimum = 0});
  v.field("over", over,
          "pooled: one loss of all sites together; sum, mean: of the losses of the sites.",
          {.choices = {"pooled", "sum", "mean"}});
}

SiteObjective::SiteObjective(const Choice& choice)
    : name_(choice.name),
      over_(dynamic_cast<const ObjectiveConfig&>(*choice.config).over),
      weight_(dynamic_cast<const ObjectiveConfig&>(*choice.config).weight),
      objective_(
          objectives().get(choice.name, "losses.name", "auxiliary loss").make(*choice.config)) {}

void SiteObjective::add_site(int64_t experts, MeasureTable& layout) {
  if (over_ == "pooled" && !sites_.empty() && sites_.front().experts != experts)
    throw UserError("losses." + name_ + ".over",
                    "is pooled, but sites have " + std::to_string(sites_.front().experts) +
                        " and " + std::to_string(experts) + " experts",
                    "Set it to sum or mean.");
  sites_.push_back({layout.add_site(objective_->columns(experts)), experts});
}

void SiteObjective::measure(size_t site, const Routed& routed, MeasureTable& table) const {
  table.add(sites_.at(site).row, objective_->measure(routed));
}

Tensor SiteObjective::formula(const MeasureTable& table, Reducer& reducer) const {
  Tensor total;
  for (const Site& site : sites_) {
    const Tensor sums = table.sums(site.row, reducer);
    total = plus(total, over_ == "pooled" ? sums : objective_->formula(sums, site.experts));
  }
  MOLT_CHECK(total.defined(), "an objective without sites");
  if (over_ == "pooled") return objective_->formula(total, sites_.front().experts);
  return over_ == "sum" ? total : total / static_cast<double>(sites_.size());
}

}  // namespace molt
