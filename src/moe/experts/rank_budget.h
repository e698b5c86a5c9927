// The rank budget of AdaLoRA (Zhang et al. 2023, arXiv 2303.10512): all updates share one budget of
// ranks, which shrinks in training; the triplets (a row of A, an entry of E, a column of B) of the
// lowest importance are removed. Formulas follow PEFT's RankAllocator.
#pragma once

#include "moe/attachment.h"

namespace mixtune {

struct RankBudgetSettings {
  int64_t target = 8;                          // average rank of an update at the end
  int64_t initial_steps = 0, final_steps = 0;  // steps with the full and with the final budget
  int64_t every = 1;                           // steps between two reductions
  double beta1 = 0.85, beta2 = 0.85;           // smoothing of importance and of its uncertainty
};

// The budget after `step` of `total` steps: a cubic decline from `ranks` to `target` (equation 12
// of the paper).
int64_t ranks_at(const RankBudgetSettings& settings, int64_t step, int64_t total, int64_t ranks,
                 int64_t target);

class RankBudget {
 public:
  RankBudget(RankBudgetSettings settings, std::string method)
      : settings_(settings), method_(std::move(method)) {}

  // Adds an update: the names of its segments in the trainables and their shapes, A [rank, in], E
  // [rank, 1] and B [out, rank].
  void add(const std::string& down, const std::string& gain, const std::string& up, int64_t rank,
           int64_t in, int64_t out);
  // Registers the buffers, on the device of `options`, after the last update was added; the update
  // rule keeps `self` alive.
  static void attach(const std::shared_ptr<RankBudget>& self, const at::TensorOptions& options,
                     Attachment& attachment);

  void check(int64_t total) const;
  void after(const Trainables& trainables, const Update& update);

 private:
  struct Part {
    std::string name;
    int64_t begin, count;  // range in the buffers of importance
  };
  struct LowRankUpdate {
    Part down, gain, up;
    int64_t first, rank;  // range in the ranks of all updates
  };

  void accumulate(const Trainables& trainables, const Update& update);
  Tensor score_of(const Part& part, at::IntArrayRef shape) const;
  void choose(const Trainables& trainables, int64_t ranks);
  void clear(const Trainables& trainables) const;

  RankBudgetSettings settings_;
  std::string method_;
  std::vector<LowRankUpdate> updates_;
  int64_t elements_ = 0, ranks_ = 0;
  Tensor importance_, spread_;  // [elements], running means
  Tensor kept_;                 // [ranks] 1: active, 0: removed (E stays zero)
};

}  // namespace mixtune
