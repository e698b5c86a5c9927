#include "moe/squash/squashing.h"

#include "moe/part_choices.h"

namespace mixtune {

void TemperatureConfig::fields(FieldVisitor& v) {
  v.field("temperature", temperature, "The scores are divided by it.",
          {.maximum = 1e6, .above = 0});
}

const ChoiceTable& squashing_choices() {
  static const PartChoices choices(squashings(), "squash.name", "squashing");
  return choices;
}

std::unique_ptr<Squashing> make_squashing(const Choice& choice) {
  return squashings().get(choice.name, "squash.name", "squashing").make(*choice.config);
}

std::shared_ptr<const Squashing> softmax_squashing() {
  static const std::shared_ptr<const Squashing> one =
      squashings().get("softmax", "squash.name", "squashing").make(TemperatureConfig());
  return one;
}

}  // namespace mixtune
