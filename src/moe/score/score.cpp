#include "moe/score/score.h"

#include "moe/part_choices.h"

namespace mixtune {

const ChoiceTable& score_choices() {
  static const PartChoices choices(scores(), "score.name", "score");
  return choices;
}

std::unique_ptr<Score> make_score(const Choice& choice, const ScoreShape& shape, RandomKey key) {
  return scores().get(choice.name, "score.name", "score").make(*choice.config, shape, key);
}

bool is_product(const Choice& score) {
  return scores().get(score.name, "score.name", "score").is_product;
}

Choice linear_score() {
  return {"linear", score_choices().make("linear")};
}

}  // namespace mixtune
