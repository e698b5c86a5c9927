// Scoring: turns a router's scores into weights, before experts are selected. Legend: T tokens, E
// experts.
#pragma once

#include "base/fields.h"
#include "base/registry.h"
#include "tensor/tensor.h"

namespace mixtune {

class Scoring {
 public:
  virtual ~Scoring() = default;
  // Scores [T, E] to weights between 0 and 1, [T, E], in the graph.
  virtual Tensor of(const Tensor& scores) const = 0;
  // Whether the weights of a token sum to one, as budgets and entropies require.
  virtual bool gives_shares() const = 0;
};

struct ScoringEntry {
  std::string name, summary;
  std::function<std::unique_ptr<Config>()> config;
  std::function<std::unique_ptr<Scoring>(const Config&)> make;
};

// The options that all scorings share.
struct TemperatureConfig final : Config {
  double temperature = 1;
  void fields(FieldVisitor& v) override;
};

// Every part of this folder, by file name. The table is generated.
const Registry<ScoringEntry>& scorings();
const ChoiceTable& scoring_choices();
std::unique_ptr<Scoring> make_scoring(const Choice& choice);
std::shared_ptr<const Scoring> softmax_scoring();  // at temperature 1

}  // namespace mixtune
