// AdamW (Loshchilov and Hutter 2019; as in torch, weight decay comes first) and clipping by the
// global norm, over the flat buffer of trainables: one pass over memory on a CPU, tensor operations
// elsewhere. Results do not depend on the number of threads.
#pragma once

#include "nn/trainables.h"

namespace mixtune {

// Settings of a learning-rate group; the rate applies at a schedule factor of 1.
struct GroupOptions {
  double learning_rate = 5e-4, weight_decay = 0;
};

struct AdamWOptions {
  double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
  GroupOptions defaults = {};
  std::map<std::string, GroupOptions> groups = {};  // by Segment::group, if not the defaults
};

class AdamW {
 public:
  // `trainables` must be built and outlive the optimizer.
  AdamW(Trainables& trainables, AdamWOptions options);

  // One update with the gradients times `gradient_scale` (from clipping) and every learning rate
  // times `factor`.
  void step(double factor, double gradient_scale = 1);

  int64_t steps_done() const { return steps_done_; }

  // The moments, [count] as the trainables; a resumed run restores them.
  Tensor first, second;
  void set_steps_done(int64_t steps) { steps_done_ = steps; }

 private:
  // Consecutive segments with equal settings.
  struct Run {
    int64_t begin, end;
    double learning_rate, weight_decay;
  };

  Trainables& trainables_;
  AdamWOptions options_;
  std::vector<Run> runs_;
  int64_t steps_done_ = 0;
};

// The Euclidean norm of all elements, summed in double precision in blocks of fixed size.
double global_norm(const Tensor& flat);

// min(1, limit / (norm + 1e-6)), as torch's clip_grad_norm_.
double clip_scale(double norm, double limit);

}  // namespace mixtune
