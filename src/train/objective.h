// How a batch becomes a loss and what a model says of a sequence: the part of training that depends
// on the task's goal, and the only one. Losses are sums; a step divides by the units of all its
// micro-batches, so that accumulation gives the large batch exactly. Legend: S sequences, W numbers
// of output for each, N sequences of a data set.
#pragma once

#include "models/model.h"
#include "tasks/task.h"

namespace mixtune {

// Sequences of a micro-batch, in the order in which they are packed.
using SequenceRefs = std::vector<const EncodedExample*>;

class TaskObjective {
 public:
  virtual ~TaskObjective() = default;

  // What a sequence counts in the loss: 1, or its supervised tokens.
  virtual int64_t units(const EncodedExample& example) const = 0;
  // Sum over the batch, in the graph.
  virtual Tensor loss_sum(Model& model, const PackedBatch& batch, const SequenceRefs& sequences,
                          ForwardContext& context, double smoothing) const = 0;

  // What the model says of each sequence: [S, W] on the CPU. Called without gradients.
  virtual Tensor outputs(Model& model, const PackedBatch& batch, const SequenceRefs& sequences,
                         ForwardContext& context) const = 0;
  // The same for a whole set ([N, W]) as predictions, one of each sequence.
  virtual Predictions predictions(const Tensor& outputs,
                                  const std::vector<EncodedExample>& examples) const = 0;
  // Mean over labelled units, without label smoothing; nan where there are none.
  virtual double mean_loss(const Tensor& outputs,
                           const std::vector<EncodedExample>& examples) const = 0;
};

struct ObjectiveOptions {
  Goal goal = Goal::classify;
  // Of language models: the last block computes supervised rows alone. False where a method counts
  // or compares all rows of a block.
  bool reads_some_rows = true;
};

std::unique_ptr<TaskObjective> make_objective(const ObjectiveOptions& options);
std::unique_ptr<TaskObjective> make_language_objective(const ObjectiveOptions& options);

}  // namespace mixtune
