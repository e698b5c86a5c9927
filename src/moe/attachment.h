// What attaching a method to a model gives: the trainable buffer, frozen buffers, the layout of the
// measures, the auxiliary losses and a table for people of what went where.
#pragma once

#include "nn/sites.h"
#include "nn/trainables.h"

namespace mixtune {

// Settings of a learning-rate group that differ from those of the run.
struct GroupSettings {
  std::optional<double> learning_rate, weight_decay;
  double learning_rate_ratio = 1;  // times the rate that holds without it (LoRA+)
};

struct AuxiliaryLoss {
  std::string name;
  double weight;
  // The unweighted loss from the table of a forward pass; a scalar.
  std::function<Tensor(const LossStatistics&, Reducer&)> finalize;
  bool in_evaluation = false;  // counts in the loss of an evaluation too (MoLEx as released)
};

// A tensor that belongs to the method, is saved with it and is not trained.
struct FrozenBuffer {
  std::string name;
  Tensor* tensor;
};

// An update of the trainables that was just made.
struct Update {
  int64_t step, total;    // updates done, this one included; of the whole run
  double gradient_scale;  // of the clipping
};

// What a method does around updates.
struct UpdateRule {
  std::function<void(int64_t total)> check;  // before the first: UserError where `total` is too few
  std::function<void(const Update&)> after;  // the gradients are still there
};

struct AttachedSite {
  std::string site;    // module path
  std::string what;    // "low_rank r=8", "trained"
  int64_t parameters;  // trainable
};

struct Attachment {
  Trainables trainables;
  std::vector<FrozenBuffer> buffers;
  // What training alone needs: in checkpoints, not in adapters.
  std::vector<FrozenBuffer> training_buffers;
  std::vector<UpdateRule> update_rules;
  LossStatistics loss_statistics;  // its layout; each forward pass starts from a cleared copy
  std::vector<AuxiliaryLoss> losses;
  std::map<std::string, GroupSettings> groups;
  std::vector<AttachedSite> table;
  std::vector<std::string> warnings;  // for the user, a sentence each
  RandomKey seed = 0;                 // of initial values

  // Adds a trainable leaf of one segment, or a frozen buffer.
  void train(Tensor* tensor, const std::string& name, const std::string& group, bool decays);
  void freeze(Tensor* tensor, const std::string& name);
  void note(std::string site, std::string what, int64_t parameters);

  // The losses by name, unweighted (scalars in the graph), and their weighted sum; undefined
  // without losses.
  std::vector<std::pair<std::string, Tensor>> auxiliary(const ForwardContext& context) const;
  Tensor auxiliary_sum(const ForwardContext& context) const;

  // Every named tensor of the method, trained or frozen, as files hold it (views, detached).
  std::vector<std::pair<std::string, Tensor>> state() const;
};

}  // namespace mixtune
