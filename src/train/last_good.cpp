#include "train/last_good.h"

namespace mixtune {
namespace {

// Reuses the memory of the previous copy if there is one.
void copy_to(Tensor& copy, const Tensor& from) {
  if (copy.defined())
    copy.copy_(from);
  else
    copy = from.clone();
}

}  // namespace

void LastGood::keep(const Cursor& cursor, const Attachment& attachment, const AdamW& optimizer) {
  const at::NoGradGuard no_grad;
  copy_to(values_, attachment.trainables.values);
  copy_to(first_, optimizer.first);
  copy_to(second_, optimizer.second);
  buffers_.resize(attachment.training_buffers.size());
  for (size_t i = 0; i < buffers_.size(); ++i)
    copy_to(buffers_[i], *attachment.training_buffers[i].tensor);
  cursor_ = cursor;
}

Cursor LastGood::restore(Attachment& attachment, AdamW& optimizer) const {
  MIXTUNE_CHECK(is_known(), "there is no saved state");
  const at::NoGradGuard no_grad;
  attachment.trainables.values.copy_(values_);
  optimizer.first.copy_(first_);
  optimizer.second.copy_(second_);
  for (size_t i = 0; i < buffers_.size(); ++i)
    attachment.training_buffers[i].tensor->copy_(buffers_[i]);
  optimizer.set_steps_done(cursor_->step);
  return *cursor_;
}

}  // namespace mixtune
