// Scores: from what a router reads to one logit for each expert. One part a file.
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
  // Whether a token's logits depend on nothing but it.
  virtual bool is_of_tokens() const { return true; }
  // Its tensors with their names below the router's ("weight", "bias"), in the order of files.
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
  // SequenceLayout of a matrix times x: experts of linears take them into the one product of
  // everything thin that reads x, without a bias and with first values of their bank.
  bool is_product = false;
};

// Every part of this folder, by file name. The table is generated.
const Registry<GateEntry>& gates();
const ChoiceTable& gate_choices();
std::unique_ptr<Gate> make_gate(const Choice& choice, const GateShape& shape, RandomKey key);
bool is_product(const Choice& gate);
Choice linear_gate();

}  // namespace mixtune
