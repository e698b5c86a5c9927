// Gate: computes one logit per expert from the router's input. Each gate is a file of this folder.
#pragma once

#include "base/fields.h"
#include "base/registry.h"
#include "tensor/packed_batch.h"
#include "tensor/random.h"

namespace mixtune {

class Gate {
 public:
  virtual ~Gate() = default;
  // x [T, D] to logits [T, E].
  virtual Tensor forward(const Tensor& x, const SequenceLayout& rows) const = 0;
  // Whether a token's logits depend on that token alone.
  virtual bool is_of_tokens() const { return true; }
  // Its tensors with their names below the router's name ("weight", "bias"), in the order of files.
  virtual std::vector<std::pair<std::string, Tensor*>> tensors() = 0;
  int64_t numel() {
    int64_t out = 0;
    for (const auto& [name, tensor] : tensors()) out += tensor->numel();
    return out;
  }
};

struct GateShape {
  int64_t width, experts;
  double initializer_range;
  at::TensorOptions options;
};

struct GateEntry {
  std::string name, summary;
  std::function<std::unique_ptr<Config>()> config;
  std::function<std::unique_ptr<Gate>(const Config&, const GateShape&, RandomKey)> make;
  // The logits are a matrix times x. Experts on linears then compute them in the shrink product of
  // x, without a bias and with the router initialization of RoutedExperts.
  bool is_product = false;
};

// Every part of this folder, by file name. The table is generated.
const Registry<GateEntry>& gates();
const ChoiceTable& gate_choices();
std::unique_ptr<Gate> make_gate(const Choice& choice, const GateShape& shape, RandomKey key);
bool is_product(const Choice& gate);
Choice linear_gate();

}  // namespace mixtune
