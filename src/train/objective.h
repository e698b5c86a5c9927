// The training objective: the loss of a batch and the outputs for a sequence. It is the only part
// of training that depends on the task's goal. Losses are sums; a step divides by the units of all
// its micro-batches, so that accumulation equals the large batch exactly. Legend: S sequences, W
// output numbers per sequence, N sequences of a data set.
#pragma once

#include "models/model.h"
#include "tasks/task.h"

namespace mixtune {

// Sequences of a micro-batch, in the order in which they are packed.
using SequenceRefs = std::vector<const EncodedExample*>;

class TaskObjective {
 public:
  virtual ~TaskObjective() = default;

  // The weight of a sequence in the loss: 1, or its number of supervised tokens.
  virtual int64_t units(const EncodedExample& example) const = 0;
  // The sum over the batch, tracked by autograd.
  virtual Tensor loss_sum(Model& model, const PackedBatch& batch, const SequenceRefs& sequences,
                          ForwardContext& context, double smoothing) const = 0;

  // The outputs for each sequence: [S, W] on the CPU. Called without gradients.
  virtual Tensor outputs(Model& model, const PackedBatch& batch, const SequenceRefs& sequences,
                         ForwardContext& context) const = 0;
  // Converts the outputs of a whole set ([N, W]) to predictions, one per sequence.
  virtual Predictions predictions(const Tensor& outputs,
                                  const std::vector<EncodedExample>& examples) const = 0;
  // Mean over labeled units, without label smoothing; nan if there are none.
  virtual double mean_loss(const Tensor& outputs,
                           const std::vector<EncodedExample>& examples) const = 0;
};

struct ObjectiveOptions {
  Goal goal = Goal::classify;
  // Language models: the last layer computes only supervised rows. False if a method counts or
  // compares all rows of a layer.
  bool reads_some_rows = true;
};

std::unique_ptr<TaskObjective> make_objective(const ObjectiveOptions& options);
std::unique_ptr<TaskObjective> make_language_objective(const ObjectiveOptions& options);

}  // namespace mixtune
