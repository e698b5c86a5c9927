// The result of attaching a method to a model: the trainable buffer, frozen buffers, the layout of
// the loss statistics, the auxiliary losses and a readable table of the adapted sites.
#pragma once

#include "nn/sites.h"
#include "nn/trainables.h"

namespace mixtune {

// Settings of a learning-rate group that differ from those of the run.
struct GroupSettings {
  std::optional<double> learning_rate, weight_decay;
  double learning_rate_ratio = 1;  // multiplies the group's learning rate (LoRA+)
};

struct AuxiliaryLoss {
  std::string name;
  double weight;
  // The unweighted loss from the statistics of a forward pass; a scalar.
  std::function<Tensor(const LossStatistics&, Reducer&)> finalize;
  bool in_evaluation = false;  // also added to the evaluation loss (the authors' MoLEx code)
};

// A tensor that is saved with the method but not trained.
struct FrozenBuffer {
  std::string name;
  Tensor* tensor;
};

// The optimizer step that was just made.
struct Update {
  int64_t step, total;    // steps done, including this one; steps of the whole run
  double gradient_scale;  // the factor of gradient clipping
};

// Hooks of a method around optimizer steps.
struct UpdateRule {
  std::function<void(int64_t total)> check;  // before the first step: UserError if total is too low
  std::function<void(const Update&)> after;  // after each step, before gradients are cleared
};

struct AttachedSite {
  std::string site;    // module path
  std::string what;    // "low_rank r=8", "trained"
  int64_t parameters;  // number of trainable parameters
};

struct Attachment {
  Trainables trainables;
  std::vector<FrozenBuffer> buffers;
  // Buffers that only training needs: stored in checkpoints, not in adapters.
  std::vector<FrozenBuffer> training_buffers;
  std::vector<UpdateRule> update_rules;
  LossStatistics loss_statistics;  // the layout; each forward pass starts from a cleared copy
  std::vector<AuxiliaryLoss> losses;
  std::map<std::string, GroupSettings> groups;
  std::vector<AttachedSite> table;
  std::vector<std::string> warnings;  // for the user, one line each
  RandomKey seed = 0;                 // of the initial values

  // Add a trainable leaf of one segment, a frozen buffer, or a row of the table.
  void train(Tensor* tensor, const std::string& name, const std::string& group, bool decays);
  void freeze(Tensor* tensor, const std::string& name);
  void note(std::string site, std::string what, int64_t parameters);

  // The losses by name, unweighted (scalars in the graph), and their weighted sum, which is
  // undefined without losses.
  std::vector<std::pair<std::string, Tensor>> auxiliary(const ForwardContext& context) const;
  Tensor auxiliary_sum(const ForwardContext& context) const;

  // Every named tensor of the method, trained or frozen, as stored in files (views, detached).
  std::vector<std::pair<std::string, Tensor>> state() const;
};

}  // namespace mixtune
