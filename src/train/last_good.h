// The last state from which a step was finite, from which a run that met NaN can continue. The
// state before the failing step is not usable, since the same batch would give NaN again whatever
// the learning rate. So a copy from before the last update is stored.
#pragma once

#include "train/checkpoint.h"

namespace mixtune {

class LastGood {
 public:
  // Whether a copy (parameters and moments) is stored, which it is if it is no larger than the
  // model. Full fine-tuning, where it would be three times the model, relies on checkpoints.
  static bool is_kept(int64_t trainable_parameters, int64_t model_parameters) {
    return 3 * trainable_parameters <= model_parameters;
  }

  // Call before an update with finite gradients; `cursor` is the position of the run.
  void keep(const Cursor& cursor, const Attachment& attachment, const AdamW& optimizer);

  bool is_known() const { return cursor_.has_value(); }
  // Restores the state and returns its position; call only if is_known().
  Cursor restore(Attachment& attachment, AdamW& optimizer) const;

 private:
  std::optional<Cursor> cursor_;
  Tensor values_, first_, second_;  // [count]
  std::vector<Tensor> buffers_;     // training buffers of the method
};

}  // namespace mixtune
