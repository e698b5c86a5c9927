// Auxiliary losses of token routers in two halves: `measure` adds sums of one site, in the graph,
// to the table; `formula` reads the table once the sums of all processes are there. Legend: T
// tokens, M sites that read the same tokens, E experts.
#pragma once

#include "base/fields.h"
#include "base/registry.h"
#include "moe/attachment.h"
#include "moe/routing.h"

namespace mixtune {

// Whose decisions are measured: those of the tokens `index` [T'] of `rows` (undefined: all of
// them), each with `sites` decisions that follow one another.
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
  // A scalar from the sums of one site, or of several sites with equally many experts added up.
  virtual Tensor finalize(const Tensor& sums, int64_t experts) const = 0;
  // Whether it takes the probabilities of a token to sum to one.
  virtual bool needs_shares() const { return false; }
  // UserError where it makes no sense of so many experts.
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

// What every objective's config has.
struct RouterLossConfig : Config {
  double weight = 0;
  std::string over = "pooled", tokens = "all";
  void fields(FieldVisitor& v) override;
};

// The rows of a language task that carry a loss: those after the prompt. [T'] int64; undefined,
// which means all, where no sequence has a prompt or none has anything else (a classifier reads
// prompts alone).
Tensor supervised_rows(const SequenceLayout& rows);

// One objective over the sites of a sentence. Sites that read the same tokens are added and
// measured together.
class SiteRouterLoss {
 public:
  // `where` is the sentence, for messages.
  SiteRouterLoss(const Choice& choice, std::string where);
  // `count` sites of one layer that read the same tokens; returns their handle.
  size_t add_sites(int64_t count, int64_t experts, int64_t layer, LossStatistics& layout);
  // The decisions [T * count, E] of `add_sites`, those of a token one after the other.
  void accumulate(size_t handle, const Routed& routed, const SequenceLayout& rows,
                  LossStatistics& table) const;
  Tensor finalize(const LossStatistics& table, Reducer& reducer) const;
  const std::string& name() const { return name_; }
  double weight() const { return weight_; }

 private:
  struct Group {
    std::vector<int64_t> rows;  // of the table: one for each site, or one for all of them
    int64_t count, experts, layer;
  };
  bool pools_sites() const { return over_ != "sum" && over_ != "mean"; }
  void check_equal(const Group& a, const Group& b) const;

  std::string name_, where_, over_;
  bool supervised_;
  double weight_;
  std::unique_ptr<RouterLoss> router_loss_;
  std::vector<Group> groups_;
};

// Those of a sentence's losses that have a weight, and their entries in the attachment's losses.
using SiteRouterLosses = std::vector<std::shared_ptr<SiteRouterLoss>>;
SiteRouterLosses site_router_losses(const std::vector<Choice>& losses, const std::string& where);
void add_losses(const SiteRouterLosses& router_losses, Attachment& attachment);

}  // namespace mixtune
