// The last state from which a step was finite: what a run that met NaN can go on from. The state
// that a failing step starts from is no such state: the same batch would give the same NaN again,
// whatever the learning rate. So a copy is kept from before the last update.
#pragma once

#include "train/checkpoint.h"

namespace mixtune {

class LastGood {
 public:
  // Whether a copy (parameters and moments) is kept at all: where it is no larger than the model.
  // Of full fine-tuning it would be three models more; there the saved checkpoints must do.
  static bool is_kept(int64_t trainable_parameters, int64_t model_parameters) {
    return 3 * trainable_parameters <= model_parameters;
  }

  // Before an update with finite gradients: `cursor` is where the run stood.
  void keep(const Cursor& cursor, const Attachment& attachment, const AdamW& optimizer);

  bool is_known() const { return cursor_.has_value(); }
  // Puts it back and returns where it stood; call only if is_known().
  Cursor put_back(Attachment& attachment, AdamW& optimizer) const;

 private:
  std::optional<Cursor> cursor_;
  Tensor values_, first_, second_;  // [count]
  std::vector<Tensor> buffers_;     // the method's own
};

}  // namespace mixtune
