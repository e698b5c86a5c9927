#include "moe/loss/objective.h"

#include "moe/part_choices.h"

namespace mixtune {
namespace {

Tensor plus(const Tensor& total, const Tensor& term) {
  return total.defined() ? total + term : term;
}

}  // namespace

const ChoiceTable& objective_choices() {
  static const PartChoices choices(objectives(), "losses.name", "auxiliary loss");
  return choices;
}

std::unique_ptr<Objective> objective_of(const Choice& choice) {
  return objectives().get(choice.name, "losses.name", "auxiliary loss").make(*choice.config);
}

void ObjectiveConfig::fields(FieldVisitor& v) {
  v.field("weight", weight, "What the loss is multiplied with; 0: off.", {.minimum = 0});
  v.field("over", over,
          "pooled: one loss of all sites together; sum, mean: of the losses of the sites; "
          "layer_sum, layer_mean: of the losses of the layers, whose sites are pooled.",
          {.choices = {"pooled", "sum", "mean", "layer_sum", "layer_mean"}});
  v.field("tokens", tokens, "Which tokens count: all, or those after the prompt.",
          {.choices = {"all", "supervised"}});
}

Tensor supervised_rows(const Rows& rows) {
  if (rows.prompt.empty()) return {};
  int64_t count = 0;
  for (int64_t s = 0; s < rows.sequences(); ++s) count += rows.length(s) - rows.prompt[s];
  if (count == 0) return {};
  const Tensor out = at::empty({count}, at::kLong);
  int64_t* next = out.data_ptr<int64_t>();
  for (int64_t s = 0; s < rows.sequences(); ++s)
    for (int64_t r = rows.offsets[s] + rows.prompt[s]; r < rows.offsets[s + 1]; ++r) *next++ = r;
  return out.to(rows.example.device(), out.scalar_type(), true);
}

SiteObjective::SiteObjective(const Choice& choice, std::string where)
    : name_(choice.name),
      where_(std::move(where)),
      over_(dynamic_cast<const ObjectiveConfig&>(*choice.config).over),
      supervised_(dynamic_cast<const ObjectiveConfig&>(*choice.config).tokens == "supervised"),
      weight_(dynamic_cast<const ObjectiveConfig&>(*choice.config).weight),
      objective_(objective_of(choice)) {}

void SiteObjective::check_equal(const Group& a, const Group& b) const {
  if (a.experts == b.experts) return;
  // Named methods have other words for `over`.
  throw UserError(where_,
                  "the loss '" + name_ + "' is of sites pooled together, which have " +
                      std::to_string(a.experts) + " and " + std::to_string(b.experts) + " experts",
                  "Take it by layer or by site, or give them equally many experts.");
}

size_t SiteObjective::add_sites(int64_t count, int64_t experts, int64_t layer,
                                MeasureTable& layout) {
  objective_->check(experts, where_);
  Group group{.rows = {}, .count = count, .experts = experts, .layer = layer};
  for (const Group& other : groups_)
    if (pools_sites() && (over_ == "pooled" || other.layer == layer)) check_equal(other, group);
  for (int64_t i = 0; i < (pools_sites() ? 1 : count); ++i)
    group.rows.push_back(layout.add_site(objective_->columns(experts)));
  groups_.push_back(std::move(group));
  return groups_.size() - 1;
}

void SiteObjective::measure(size_t handle, const Routed& routed, const Rows& rows,
                            MeasureTable& table) const {
  const Group& group = groups_.at(handle);
  const Tensor index = supervised_ ? supervised_rows(rows) : Tensor();
  const auto some = [&](const Tensor& each) { return routed.of_tokens(each.reshape({-1})); };
  const bool together = pools_sites() || group.count == 1;
  if (together) {
    const Counted counted{rows, index, group.count};
    if (!index.defined()) {
      table.add(group.rows[0], objective_->measure(routed, counted));
      return;
    }
    const Tensor sites = at::arange(group.count, index.options());
    table.add(group.rows[0],
              objective_->measure(some(index.unsqueeze(1) * group.count + sites), counted));
    return;
  }
  const Tensor tokens =
      index.defined() ? index : at::arange(rows.tokens(), rows.example.options());  // [T']
  for (int64_t i = 0; i < group.count; ++i)
    table.add(group.rows[i], objective_->measure(some(tokens * group.count + i), {rows, index, 1}));
}

Tensor SiteObjective::formula(const MeasureTable& table, Reducer& reducer) const {
  std::map<int64_t, std::pair<Tensor, int64_t>> pools;  // by layer, or all in one: sums and experts
  Tensor total;
  int64_t terms = 0;
  for (const Group& group : groups_)
    for (const int64_t row : group.rows) {
      const Tensor sums = table.sums(row, reducer);
      if (pools_sites()) {
        auto& pool = pools[over_ == "pooled" ? 0 : group.layer];
        pool = {plus(pool.first, sums), group.experts};
      } else {
        total = plus(total, objective_->formula(sums, group.experts));
        ++terms;
      }
    }
  for (const auto& [layer, pool] : pools) {
    total = plus(total, objective_->formula(pool.first, pool.second));
    ++terms;
  }
  MIXTUNE_CHECK(terms > 0, "an objective without sites");
  return over_.ends_with("mean") ? total / static_cast<double>(terms) : total;
}

SiteObjectives site_objectives(const std::vector<Choice>& losses, const std::string& where) {
  SiteObjectives out;
  for (const Choice& loss : losses)
    if (dynamic_cast<const ObjectiveConfig&>(*loss.config).weight > 0)
      out.push_back(std::make_shared<SiteObjective>(loss, where));
  return out;
}

void add_losses(const SiteObjectives& objectives, Attachment& attachment) {
  for (const auto& objective : objectives)
    attachment.losses.push_back({objective->name(), objective->weight(),
                                 [objective](const MeasureTable& table, Reducer& reducer) {
                                   return objective->formula(table, reducer);
                                 }});
}

}  // namespace mixtune
