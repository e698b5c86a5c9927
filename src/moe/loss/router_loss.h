// Auxiliary losses of token routers, in two steps: `accumulate` adds the sums of one site, in the
// graph, to the loss statistics; `finalize` computes the loss once the sums of all processes are
// reduced. Legend: T tokens, M sites that read the same tokens, E experts.
#pragma once

#include "base/fields.h"
#include "base/registry.h"
#include "moe/attachment.h"
#include "moe/routing.h"

namespace mixtune {

// The decisions that enter a loss: those of the tokens `index` [T'] of `rows` (undefined: all),
// each with `sites` consecutive decisions.
struct Counted {
  const SequenceLayout& rows;
  Tensor index;
  int64_t sites = 1;
};

class RouterLoss {
 public:
  virtual ~RouterLoss() = default;
  virtual int64_t columns(int64_t experts) const = 0;
  // The sums over decisions: [columns].
  virtual Tensor accumulate(const Routed& routed, const Counted& counted) const = 0;
  // The loss, a scalar, from the sums of one site, or of several sites with equal numbers of
  // experts added up.
  virtual Tensor finalize(const Tensor& sums, int64_t experts) const = 0;
  // Whether it requires the probabilities of a token to sum to one.
  virtual bool needs_shares() const { return false; }
  // UserError if the loss is not defined for this number of experts.
  virtual void check(int64_t experts, const std::string& where) const {}
};

struct RouterLossEntry {
  std::string name, summary;
  std::function<std::unique_ptr<Config>()> config;
  std::function<std::unique_ptr<RouterLoss>(const Config&)> make;
};

// Every part of this folder, by file name. The table is generated.
const Registry<RouterLossEntry>& router_losses();
const ChoiceTable& router_loss_choices();
std::unique_ptr<RouterLoss> router_loss_of(const Choice& choice);

// The options that all router losses share.
struct RouterLossConfig : Config {
  double weight = 0;
  std::string reduction = "pooled", tokens = "all";
  void fields(FieldVisitor& v) override;
};

// The rows of a language task that are supervised: those after the prompt. [T'] int64; undefined,
// which means all, if no sequence has a prompt or every sequence is only a prompt (classifiers).
Tensor supervised_rows(const SequenceLayout& rows);

// One router loss over the sites of a spec. Sites that read the same tokens are added and
// accumulated together.
class SiteRouterLoss {
 public:
  // `where` is the method, for messages.
  SiteRouterLoss(const Choice& choice, std::string where);
  // `count` sites of one layer that read the same tokens; returns their handle.
  size_t add_sites(int64_t count, int64_t experts, int64_t layer, LossStatistics& layout);
  // Adds the decisions [T * count, E] of these sites; the decisions of a token are consecutive.
  void accumulate(size_t handle, const Routed& routed, const SequenceLayout& rows,
                  LossStatistics& table) const;
  Tensor finalize(const LossStatistics& table, Reducer& reducer) const;
  const std::string& name() const { return name_; }
  double weight() const { return weight_; }

 private:
  struct Group {
    std::vector<int64_t> rows;  // of the table: one per site, or one for all of them
    int64_t count, experts, layer;
  };
  bool pools_sites() const { return reduction_ != "sum" && reduction_ != "mean"; }
  void check_equal(const Group& a, const Group& b) const;

  std::string name_, where_, reduction_;
  bool supervised_;
  double weight_;
  std::unique_ptr<RouterLoss> router_loss_;
  std::vector<Group> groups_;
};

// The losses of a spec that have a positive weight, and their entries in the attachment's losses.
using SiteRouterLosses = std::vector<std::shared_ptr<SiteRouterLoss>>;
SiteRouterLosses site_router_losses(const std::vector<Choice>& losses, const std::string& where);
void add_losses(const SiteRouterLosses& router_losses, Attachment& attachment);

}  // namespace mixtune
