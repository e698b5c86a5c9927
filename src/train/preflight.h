// A summary of model, method, data, steps and memory before the first step. `mixtune check` prints
// it, and training prints it first.
#pragma once

#include "train/session.h"

namespace mixtune {

struct LabelShare {
  std::string label;
  int64_t count = 0;
};

struct SetSummary {
  std::string name = {}, source = {};
  LengthSummary lengths = {};
  Goal goal = Goal::classify;
  std::vector<LabelShare> labels = {};       // counts of labels, in the order of ids
  double lowest = 0, highest = 0, mean = 0;  // regression: of the scores
};

struct GroupCount {
  std::string kind;  // "adapter", "head", "gate", "base"
  int64_t parameters = 0;
};

// An estimate in bytes of the memory that training adds to an idle process.
struct MemoryEstimate {
  int64_t weights = 0, gradients = 0, activations = 0;
  int64_t optimizer = 0;  // moments, and the copy of the last good state if it is stored
  int64_t logits = 0;     // one chunk of a language head
  int64_t total() const { return weights + gradients + optimizer + activations + logits; }
};

struct Preflight {
  std::string model, model_type, method, device;
  int64_t model_parameters = 0, trainable_parameters = 0;
  std::vector<AttachedSite> attached;
  std::vector<GroupCount> kinds;
  std::vector<std::string> loading;  // lines: newly initialized, unexpected, adapter differences
  std::vector<SetSummary> sets;      // training first
  // One decoded training example with special tokens; for a language model, supervised tokens are
  // between « and ».
  std::string example_text;
  std::vector<int32_t> example_ids;
  std::string example_label;
  int64_t steps = 0, steps_per_epoch = 0, tokens_per_epoch = 0;
  double epochs = 0, tokens_per_step = 0;
  MemoryEstimate memory;
  int64_t memory_available = 0;  // bytes; 0: unknown
  std::vector<std::string> warnings;
};

// Number of parameters of the model, without those that a method adds.
int64_t model_parameters(Model& model);

// UserError if a training example of a language model does not end with a supervised end-of-text
// token, since such a model would never stop.
Preflight preflight(Session& session);

// Renders the summary as text.
std::string render(const Preflight& preflight);

}  // namespace mixtune
