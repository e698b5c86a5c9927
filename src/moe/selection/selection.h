// Selection of the experts of a token from the router's probabilities. A selection is a constant of
// the graph: gradients reach the router only through the weights of the selected experts. Legend: T
// tokens, E experts.
#pragma once

#include "base/fields.h"
#include "base/registry.h"
#include "tensor/tensor.h"

namespace mixtune {

class Selection {
 public:
  virtual ~Selection() = default;
  // probabilities [T, E] to a mask of zeros and ones [T, E]. Ties go to the lowest index.
  virtual Tensor mask(const Tensor& probabilities) const = 0;
  // UserError if it requires more experts than this.
  virtual void check(int64_t experts, const std::string& where) const {}
  // Whether it requires the probabilities of a token to sum to one.
  virtual bool needs_shares() const { return false; }
  // The selection of layer `layer` of `layers`; null: this one, for all layers.
  virtual std::shared_ptr<const Selection> of_layer(int64_t layer, int64_t layers,
                                                    const std::string& where) const {
    return nullptr;
  }
};

struct SelectionEntry {
  std::string name, summary;
  std::function<std::unique_ptr<Config>()> config;
  std::function<std::unique_ptr<Selection>(const Config&)> make;
};

// Every part of this folder, by file name. The table is generated.
const Registry<SelectionEntry>& selections();
const ChoiceTable& selection_choices();
std::unique_ptr<Selection> make_selection(const Choice& choice);

// Experts in descending order of probability: indices and values, [T, E] each. `back` returns
// values by rank to the order of experts.
struct Ranked {
  Tensor experts, probabilities;
  Tensor back(const Tensor& by_rank) const;
};
Ranked ranked(const Tensor& probabilities);

// A mask of the first `count` ranks: [E], zeros and ones.
Tensor first_ranks(int64_t experts, int64_t count, const at::TensorOptions& options);

}  // namespace mixtune
