// Auxiliary losses of token routers in two halves: `measure` adds sums of one site, in the graph,
// to the table; `formula` reads the table once the sums of all processes are there. Legend: T
// tokens, E experts.
#pragma once

#include "base/fields.h"
#include "base/registry.h"
#include "moe/attachment.h"
#include "moe/routing.h"

namespace molt {

class Objective {
 public:
  virtual ~Objective() = default;
  virtual int64_t columns(int64_t experts) const = 0;
  // The sums over the tokens of a site: [columns].
  virtual Tensor measure(const Routed& routed) const = 0;
  // A scalar from the sums of one site, or of several sites with equally many experts added up.
  virtual Tensor formula(const Tensor& sums, int64_t experts) const = 0;
};

struct ObjectiveEntry {
  std::string name, summary;
  std::function<std::unique_ptr<Config>()> config;
  std::function<std::unique_ptr<Objective>(const Config&)> make;
};

// Every part of this folder, by file name. The table is generated.
const Registry<ObjectiveEntry>& objectives();
const ChoiceTable& objective_choices();

// What every objective's config has.
struct ObjectiveConfig : Config {
  double weight = 0;
  // pooled: one loss of all sites together; sum, mean: of the sites' own losses.
  std::string over = "pooled";
  void fields(FieldVisitor& v) override;
};

// One objective over the sites of a sentence.
class SiteObjective {
 public:
  SiteObjective(const Choice& choice);
  void add_site(int64_t experts, MeasureTable& layout);
  void measure(size_t site, const Routed& routed, MeasureTable& table) const;
  Tensor formula(const MeasureTable& table, Reducer& reducer) const;
  const std::string& name() const { return name_; }
  double weight() const { return weight_; }

 private:
  struct Site {
    int64_t row, experts;
  };
  std::string name_, over_;
  double weight_;
  std::unique_ptr<Objective> objective_;
  std::vector<Site> sites_;
};

}  // namespace molt
