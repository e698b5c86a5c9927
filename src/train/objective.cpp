// The objective of classification and regression: one loss per sequence. Legend: S sequences, C
// outputs.
#include "train/objective.h"

#include <cmath>

#include "train/evaluate.h"
#include "train/loss.h"

namespace mixtune {
namespace {

class HeadObjective final : public TaskObjective {
 public:
  explicit HeadObjective(bool is_regression) : is_regression_(is_regression) {}

  int64_t units(const EncodedExample&) const override { return 1; }

  Tensor loss_sum(Model& model, const PackedBatch& batch, const SequenceRefs& sequences,
                  ForwardContext& context, double smoothing) const override {
    const Tensor targets = targets_of(sequences, is_regression_).values.to(batch.ids.device());
    const Tensor logits = model.logits(batch, context);  // [S, C]
    return is_regression_ ? squared_error_sum(logits.select(1, 0), targets)
                          : cross_entropy_sum(logits, targets, smoothing);
  }

  Tensor outputs(Model& model, const PackedBatch& batch, const SequenceRefs&,
                 ForwardContext& context) const override {
    return model.logits(batch, context).to(at::kCPU, at::kFloat);  // [S, C]
  }

  Predictions predictions(const Tensor& outputs,
                          const std::vector<EncodedExample>&) const override {
    return predictions_of(outputs, is_regression_);
  }

  double mean_loss(const Tensor& outputs,
                   const std::vector<EncodedExample>& examples) const override {
    return task_loss(outputs, examples, is_regression_);
  }

 private:
  bool is_regression_;
};

}  // namespace

std::unique_ptr<TaskObjective> make_objective(const ObjectiveOptions& options) {
  if (options.goal == Goal::next_token) return make_language_objective(options);
  return std::make_unique<HeadObjective>(options.goal == Goal::regress);
}

}  // namespace mixtune
