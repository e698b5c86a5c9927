// Routings and auxiliary losses built from recipe options, for tests without a model.
#pragma once

#include "methods/mixture.h"
#include "moe/loss/router_loss.h"
#include "support/hand_made_linear.h"

namespace mixtune::test {

// The routers of DynMoLE's sheet, 6: peaked, between, nearly uniform, one expert.
inline const std::vector<double> kA = {.70, .20, .05, .03, .01, .01},
                                 kB = {.40, .25, .15, .10, .06, .04},
                                 kC = {.24, .20, .18, .16, .12, .10},
                                 kD = {.97, .01, .008, .006, .004, .002};

using Options = std::vector<std::pair<std::string, std::string>>;

inline Choice choice_of(const ChoiceTable& table, const std::string& name, const Options& options) {
  Choice out = part(table, name);
  for (const auto& [option, value] : options) set(out, option, value);
  return out;
}
inline std::shared_ptr<const Selection> select_of(const std::string& name,
                                                  const Options& options = {}) {
  return make_selection(choice_of(selection_choices(), name, options));
}

// The value of one loss over the decisions of one site.
inline Tensor loss_of(const std::string& name, const Options& options, const Routed& routed,
                      const SequenceLayout& rows) {
  SiteRouterLoss router_loss(choice_of(router_loss_choices(), name, options), "test");
  LossStatistics table;
  const size_t site = router_loss.add_sites(1, routed.probabilities.size(1), 0, table);
  router_loss.accumulate(site, routed, rows, table);
  Reducer alone;
  return router_loss.finalize(table, alone);
}
inline Tensor loss_of(const std::string& name, const Options& options, const Routed& routed) {
  return loss_of(name, options, routed, rows_of({routed.probabilities.size(0)}));
}

}  // namespace mixtune::test
