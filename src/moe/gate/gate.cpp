#include "moe/gate/gate.h"

#include "moe/part_choices.h"

namespace mixtune {

const ChoiceTable& gate_choices() {
  static const PartChoices choices(gates(), "gate.name", "gate");
  return choices;
}

std::unique_ptr<Gate> make_gate(const Choice& choice, const GateShape& shape, RandomKey key) {
  return gates().get(choice.name, "gate.name", "gate").make(*choice.config, shape, key);
}

bool is_product(const Choice& gate) {
  return gates().get(gate.name, "gate.name", "gate").is_product;
}

Choice linear_gate() {
  return {"linear", gate_choices().make("linear")};
}

}  // namespace mixtune
