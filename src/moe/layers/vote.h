// Who decides which block a position borrows, and what they decide: one choice for each unit (a
// sequence, by all of its tokens or by those of its prompt; or the batch). Legend: T tokens, V
// tokens that vote, U units, L blocks, D width.
#pragma once

#include "moe/sentence.h"

namespace molt {

// The tokens that vote. `pool` and `rows` must outlive it.
class Voters {
 public:
  Voters(const Pool& pool, const Rows& rows) : pool_(pool), all_(rows) {}

  // Their rows of an activation: [T, D] to [V, D].
  Tensor of(const Tensor& z) const {
    return pool_.unit == Pool::Unit::prompt ? z.index_select(0, prompts().index) : z;
  }
  const Rows& rows() const { return pool_.unit == Pool::Unit::prompt ? prompts().rows : all_; }

  int64_t units() const { return is_batch() ? 1 : all_.sequences(); }
  int64_t begin(int64_t unit) const { return is_batch() ? 0 : rows().offsets[unit]; }
  int64_t end(int64_t unit) const {
    return is_batch() ? rows().tokens() : rows().offsets[unit + 1];
  }
  // Means over the voters of each unit: [V, C] to [U, C].
  Tensor means(const Tensor& x) const;
  // [U, 1] to one factor for each of `out` rows, whose sequences are the same: [out, 1] or [1, 1].
  Tensor to_rows(const Tensor& units, const Rows& out) const;

 private:
  bool is_batch() const { return pool_.unit == Pool::Unit::batch; }
  const SelectedRows& prompts() const;

  const Pool& pool_;
  const Rows& all_;
  mutable std::optional<SelectedRows> prompts_;  // found when they are first asked for
};

// What a gate says of the voters; undefined for controls without one.
struct GateScores {
  Tensor scores, probabilities;  // [V, L]
};

// One block for each unit, on the host: the one synchronisation of a mixed position.
Decision decide(const RouterSpec& router, int64_t position, int64_t blocks, const GateScores& gate,
                const Voters& voters, const ForwardContext& context);

}  // namespace molt
