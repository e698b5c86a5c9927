// The interface of a method (one file of this folder) and the functions that attach it to a model.
#pragma once

#include "base/fields.h"
#include "base/registry.h"
#include "moe/adapter_spec.h"

namespace mixtune {

// The properties of the model that a method depends on. Most methods use only the number of layers
// and take it by the conversion.
struct StackShape {
  int64_t layers;
  bool causal;  // a token sees itself and those before it

  operator int64_t() const { return layers; }
};

struct MethodEntry {
  std::string name, paper, summary;
  std::function<std::unique_ptr<Config>()> config;
  // The specs that the method compiles to, for a stack of layers.
  std::function<std::vector<AdapterSpec>(const Config&, const StackShape&)> specs;
  // The equivalent config of `mixture`. Unset if the method is not such a mixture; returns null for
  // options that no mixture config can express.
  std::function<std::unique_ptr<Config>(const Config&)> as_mixture = nullptr;
};

// Every method, by file name. The table is generated.
const Registry<MethodEntry>& methods();

// The methods as choices of a config: `method: {name: lora, r: 4}`. The inner methods are those
// that another method can name in `over`.
const ChoiceTable& method_choices();
const ChoiceTable& inner_method_choices();

std::vector<AdapterSpec> specs_of(const Choice& method, const StackShape& shape);

// Prefix of the tensor names of layer experts, which can be added over another method (`over`).
inline constexpr const char* kOuterPrefix = "molex.";

struct AttachOptions {
  RandomKey seed = 0;         // of the initial values
  bool train_head = true;     // the weights of the head
  bool train_pooler = false;  // BERT's pooler below a classifier
};

// Fills the slots, registers the trainable tensors (the head last) and builds the flat buffer.
// UserError if a target matches nothing, a layer does not exist, or two specs need the same slot.
// The attachment's address must not change afterwards: modules point into it.
std::unique_ptr<Attachment> attach(const std::vector<AdapterSpec>& specs, Sites& sites,
                                   const AttachOptions& options);

}  // namespace mixtune
