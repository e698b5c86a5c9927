#include "moe/loss/router_loss.h"

#include "moe/part_choices.h"

namespace mixtune {
namespace {

Tensor plus(const Tensor& total, const Tensor& term) {
  return total.defined() ? total + term : term;
}

}  // namespace

const ChoiceTable& router_loss_choices() {
  static const PartChoices choices(router_losses(), "losses.name", "auxiliary loss");
  return choices;
}

std::unique_ptr<RouterLoss> router_loss_of(const Choice& choice) {
  return router_losses().get(choice.name, "losses.name", "auxiliary loss").make(*choice.config);
}

void RouterLossConfig::fields(FieldVisitor& v) {
  v.field("weight", weight, "Weight of the loss; 0: off.", {.minimum = 0});
  v.field(
      "reduction", reduction,
      "Reduction over routers: pooled (one loss over all routers), sum or mean (of one loss per "
      "router), layer_sum or layer_mean (of one loss per layer, with its routers pooled).",
      {.choices = {"pooled", "sum", "mean", "layer_sum", "layer_mean"}});
  v.field("tokens", tokens,
          "Tokens that enter the loss: all, or supervised (those after the prompt).",
          {.choices = {"all", "supervised"}});
}

Tensor supervised_rows(const SequenceLayout& rows) {
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

SiteRouterLoss::SiteRouterLoss(const Choice& choice, std::string where)
    : name_(choice.name),
      where_(std::move(where)),
      reduction_(dynamic_cast<const RouterLossConfig&>(*choice.config).reduction),
      supervised_(dynamic_cast<const RouterLossConfig&>(*choice.config).tokens == "supervised"),
      weight_(dynamic_cast<const RouterLossConfig&>(*choice.config).weight),
      router_loss_(router_loss_of(choice)) {}

void SiteRouterLoss::check_equal(const Group& a, const Group& b) const {
  if (a.experts == b.experts) return;
  // The message does not name the option, which has other names in named methods.
  throw UserError(where_,
                  "the loss '" + name_ + "' pools sites that have " + std::to_string(a.experts) +
                      " and " + std::to_string(b.experts) + " experts; expected equal numbers",
                  "Reduce the loss by layer or by site, or use equal numbers of experts.");
}

size_t SiteRouterLoss::add_sites(int64_t count, int64_t experts, int64_t layer,
                                 LossStatistics& layout) {
  router_loss_->check(experts, where_);
  Group group{.rows = {}, .count = count, .experts = experts, .layer = layer};
  for (const Group& other : groups_)
    if (pools_sites() && (reduction_ == "pooled" || other.layer == layer))
      check_equal(other, group);
  for (int64_t i = 0; i < (pools_sites() ? 1 : count); ++i)
    group.rows.push_back(layout.add_site(router_loss_->columns(experts)));
  groups_.push_back(std::move(group));
  return groups_.size() - 1;
}

void SiteRouterLoss::accumulate(size_t handle, const Routed& routed, const SequenceLayout& rows,
                                LossStatistics& table) const {
  const Group& group = groups_.at(handle);
  const Tensor index = supervised_ ? supervised_rows(rows) : Tensor();
  const auto some = [&](const Tensor& each) { return routed.of_tokens(each.reshape({-1})); };
  const bool together = pools_sites() || group.count == 1;
  if (together) {
    const Counted counted{rows, index, group.count};
    if (!index.defined()) {
      table.add(group.rows[0], router_loss_->accumulate(routed, counted));
      return;
    }
    const Tensor sites = at::arange(group.count, index.options());
    table.add(group.rows[0],
              router_loss_->accumulate(some(index.unsqueeze(1) * group.count + sites), counted));
    return;
  }
  const Tensor tokens =
      index.defined() ? index : at::arange(rows.tokens(), rows.example.options());  // [T']
  for (int64_t i = 0; i < group.count; ++i)
    table.add(group.rows[i],
              router_loss_->accumulate(some(tokens * group.count + i), {rows, index, 1}));
}

Tensor SiteRouterLoss::finalize(const LossStatistics& table, Reducer& reducer) const {
  std::map<int64_t, std::pair<Tensor, int64_t>> pools;  // per layer, or one: sums and experts
  Tensor total;
  int64_t terms = 0;
  for (const Group& group : groups_)
    for (const int64_t row : group.rows) {
      const Tensor sums = table.sums(row, reducer);
      if (pools_sites()) {
        auto& pool = pools[reduction_ == "pooled" ? 0 : group.layer];
        pool = {plus(pool.first, sums), group.experts};
      } else {
        total = plus(total, router_loss_->finalize(sums, group.experts));
        ++terms;
      }
    }
  for (const auto& [layer, pool] : pools) {
    total = plus(total, router_loss_->finalize(pool.first, pool.second));
    ++terms;
  }
  MIXTUNE_CHECK(terms > 0, "a router loss without sites");
  return reduction_.ends_with("mean") ? total / static_cast<double>(terms) : total;
}

SiteRouterLosses site_router_losses(const std::vector<Choice>& losses, const std::string& where) {
  SiteRouterLosses out;
  for (const Choice& loss : losses)
    if (dynamic_cast<const RouterLossConfig&>(*loss.config).weight > 0)
      out.push_back(std::make_shared<SiteRouterLoss>(loss, where));
  return out;
}

void add_losses(const SiteRouterLosses& router_losses, Attachment& attachment) {
  for (const auto& router_loss : router_losses)
    attachment.losses.push_back({router_loss->name(), router_loss->weight(),
                                 [router_loss](const LossStatistics& table, Reducer& reducer) {
                                   return router_loss->finalize(table, reducer);
                                 }});
}

}  // namespace mixtune
