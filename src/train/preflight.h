// What would be trained on what, before the first step: `mixtune check` prints it, training begins
// with it.
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
  std::vector<LabelShare> labels = {};       // of labelled examples, in the order of ids
  double lowest = 0, highest = 0, mean = 0;  // regression: of the scores
};

struct KindCount {
  std::string kind;  // "adapter", "head", "gate", "base"
  int64_t parameters = 0;
};

// Bytes; an estimate of what training adds to an idle process.
struct MemoryEstimate {
  int64_t weights = 0, gradients = 0, activations = 0;
  int64_t optimizer = 0;  // moments, and the copy of the last good state where one is kept
  int64_t logits = 0;     // of a language head: one chunk
  int64_t total() const { return weights + gradients + optimizer + activations + logits; }
};

struct Preflight {
  std::string model, model_type, method, device;
  int64_t model_parameters = 0, trainable_parameters = 0;
  std::vector<AttachedSite> attached;
  std::vector<KindCount> kinds;
  std::vector<std::string> loading;  // newly initialised, unexpected, adapter differences: lines
  std::vector<SetSummary> sets;      // training first
  // One training example decoded, special tokens included; between « and » what is learnt of a
  // language model's example.
  std::string example_text;
  std::vector<int32_t> example_ids;
  std::string example_label;
  int64_t steps = 0, steps_per_epoch = 0, tokens_per_epoch = 0;
  double epochs = 0, tokens_per_step = 0;
  MemoryEstimate memory;
  int64_t memory_available = 0;  // bytes; 0: not known
  std::vector<std::string> warnings;
};

// Of the model without what a method adds.
int64_t model_parameters(Model& model);

// UserError where a training example of a language model does not end with a supervised end-of-text
// token: such a model would never stop.
Preflight preflight(Session& session);

// As lines for people.
std::string render(const Preflight& preflight);

}  // namespace mixtune
