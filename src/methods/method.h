// What one file of this folder provides, and what turns it into something attached to a model.
#pragma once

#include "base/fields.h"
#include "base/registry.h"
#include "moe/adapter_spec.h"

namespace mixtune {

// What a method knows of the model. Most need the number of blocks alone and take that.
struct StackShape {
  int64_t layers;
  bool causal;  // a token sees itself and those before it

  operator int64_t() const { return layers; }
};

struct MethodEntry {
  std::string name, paper, summary;
  std::function<std::unique_ptr<Config>()> config;
  // The method in the grammar, for a stack of blocks.
  std::function<std::vector<AdapterSpec>(const Config&, const StackShape&)> specs;
  // The config of `mixture` that says the same; unset where the method is no such mixture, null for
  // options that none says.
  std::function<std::unique_ptr<Config>(const Config&)> as_mixture = nullptr;
};

// Every method, by file name. The table is generated.
const Registry<MethodEntry>& methods();

// The methods as choices of a config: `method: {name: lora, rank: 4}`. `linear_methods` are those
// that may stand under another one's `over`.
const ChoiceTable& method_choices();
const ChoiceTable& inner_method_choices();

std::vector<AdapterSpec> specs_of(const Choice& method, const StackShape& shape);

// What a method adds over another one (`over`) has names that begin so: the layer experts'.
inline constexpr const char* kOuterPrefix = "molex.";

struct AttachOptions {
  RandomKey seed = 0;         // of the initial values
  bool train_head = true;     // the weights of the head
  bool train_pooler = false;  // BERT's pooler below a classifier
};

// Fills the slots, registers what trains (the head last) and builds the flat buffer. UserError
// where a target matches nothing, a layer does not exist, or two sentences want one slot. The
// attachment's address must not change afterwards: modules point into it.
std::unique_ptr<Attachment> attach(const std::vector<AdapterSpec>& specs, Sites& sites,
                                   const AttachOptions& options);

}  // namespace mixtune
