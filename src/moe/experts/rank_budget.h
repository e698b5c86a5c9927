// Which ranks of low-rank updates stay (AdaLoRA, Zhang et al. 2023, arXiv 2303.10512): all updates
// share one budget of ranks, which shrinks in training; what goes are the triplets (a row of A, a
// number of E, a column of B) of the lowest importance. Numbers as PEFT's RankAllocator has them.
#pragma once

#include "moe/attachment.h"

namespace mixtune {

struct RankBudgetSettings {
  int64_t target = 8;                          // mean rank of an update at the end
  int64_t initial_steps = 0, final_steps = 0;  // at the full budget; at the last one
  int64_t every = 1;                           // steps from cut to cut
  double beta1 = 0.85, beta2 = 0.85;           // of the means of importance and of its spread
};

// The budget after `step` of `total` updates, of `ranks` ranks at first and `target` at the end: a
// cubic decline (equation 12 of the paper).
int64_t ranks_at(const RankBudgetSettings& settings, int64_t step, int64_t total, int64_t ranks,
                 int64_t target);

class RankBudget {
 public:
  RankBudget(RankBudgetSettings settings, std::string method)
      : settings_(settings), method_(std::move(method)) {}

  // An update: the names of its segments in the trainables and their shapes: A [rank, in], E [rank,
  // 1], B [out, rank].
  void add(const std::string& down, const std::string& gain, const std::string& up, int64_t rank,
           int64_t in, int64_t out);
  // Registers the buffers, on the device of `options`, after the last update was added; `self` is
  // kept by the rule.
  static void attach(const std::shared_ptr<RankBudget>& self, const at::TensorOptions& options,
                     Attachment& attachment);

  void check(int64_t total) const;
  void after(const Trainables& trainables, const Update& update);

 private:
  struct Part {
    std::string name;
    int64_t begin, count;  // in the buffers of importance
  };
  struct Level {
    Part down, gain, up;
    int64_t first, rank;  // of all ranks
  };

  void accumulate(const Trainables& trainables, const Update& update);
  Tensor score_of(const Part& part, at::IntArrayRef shape) const;
  void choose(const Trainables& trainables, int64_t ranks);
  void clear(const Trainables& trainables) const;

  RankBudgetSettings settings_;
  std::string method_;
  std::vector<Level> units_;
  int64_t elements_ = 0, ranks_ = 0;
  Tensor importance_, spread_;  // [elements], running means
  Tensor kept_;                 // [ranks] 1: stays, 0: is held at zero
};

}  // namespace mixtune
