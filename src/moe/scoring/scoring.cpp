#include "moe/scoring/scoring.h"

#include "moe/part_choices.h"

namespace mixtune {

void TemperatureConfig::fields(FieldVisitor& v) {
  v.field("temperature", temperature, "Divisor of the scores.", {.maximum = 1e6, .above = 0});
}

const ChoiceTable& scoring_choices() {
  static const PartChoices choices(scorings(), "scoring.name", "scoring");
  return choices;
}

std::unique_ptr<Scoring> make_scoring(const Choice& choice) {
  return scorings().get(choice.name, "scoring.name", "scoring").make(*choice.config);
}

std::shared_ptr<const Scoring> softmax_scoring() {
  static const std::shared_ptr<const Scoring> one =
      scorings().get("softmax", "scoring.name", "scoring").make(TemperatureConfig());
  return one;
}

}  // namespace mixtune
