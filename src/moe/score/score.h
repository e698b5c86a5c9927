// Scores: from the input of a site to one logit for each expert. One part a file.
#pragma once

#include "moe/sentence.h"

namespace molt {

class Score {
 public:
  virtual ~Score() = default;
  // x [T, D] to logits [T, E].
  virtual Tensor forward(const Tensor& x, const Rows& rows) const = 0;
  // Its tensors with their names below the router's ("weight", "bias"), in the order of files.
  virtual std::vector<std::pair<std::string, Tensor*>> tensors() = 0;
};

struct ScoreShape {
  int64_t width, experts;
  double initializer_range;
  at::TensorOptions options;
};

std::unique_ptr<Score> make_linear_score(const ScoreShape& shape, RandomKey key);
std::unique_ptr<Score> make_cosine_score(const ScoreShape& shape, const ScoreSpec& spec,
                                         RandomKey key);
std::unique_ptr<Score> make_score(const ScoreSpec& spec, const ScoreShape& shape, RandomKey key);

}  // namespace molt
