// Opens everything that a config names: tokenizer, task, encoded data, the model with its method
// attached and, if given, the tensors of an adapter. Training, the preflight, evaluation and
// prediction all use a Session, so that the checked setup is the one that runs.
#pragma once

#include <span>

#include "methods/method.h"
#include "models/model.h"
#include "tasks/encode.h"
#include "text/tokenizer.h"
#include "train/objective.h"
#include "train/run_config.h"
#include "train/training_callback.h"

namespace mixtune {

struct EncodedSet {
  const DataSet* data = nullptr;         // owned by the task
  std::vector<EncodedExample> examples;  // sequences, each from one of the set's examples
  std::vector<std::string> notes = {};   // which tokens or examples were left out
};

// The result of loading an adapter's tensors.
struct AdapterReport {
  int64_t loaded = 0;
  // Tensors of the head that the adapter does not have or has with another shape.
  std::vector<std::string> newly_initialized;
  std::vector<std::string> differences;  // "method.r is 16 in the adapter, 32 here"
  std::vector<std::string> warnings;     // from reading the adapter
};

struct Session {
  RunConfig config;
  at::Device device = at::kCPU;
  std::unique_ptr<Tokenizer> tokenizer;      // null without a task, except for generation
  std::unique_ptr<Task> task;                // null if no task is named
  std::unique_ptr<TaskObjective> objective;  // null without a task
  std::unique_ptr<Model> model;
  LoadReport load_report;
  std::unique_ptr<Attachment> attachment;
  AdapterReport adapter_report;
  int64_t max_length = 0;  // the task's max_length, lowered to the maximum of the model
  // For generation: the token with which the source's task ends each training text.
  std::optional<int32_t> supervised_end;
  int64_t routing_tokens = 0;          // see train/routing_tokens.h
  EncodedSet train;                    // empty unless requested
  std::vector<EncodedSet> evaluation;  // empty unless requested

  // The name of a label id, or the id as text if the task has no names.
  std::string label_name(int64_t label) const;
};

enum class AdapterUse {
  start,    // for a new run: a head with another label count is newly initialized and reported
  restore,  // all tensors must match
};

struct SessionOptions {
  bool train_data = true, evaluation_data = true;
  AdapterUse adapter_use = AdapterUse::start;
  std::vector<std::string> labels = {};  // names saved with an adapter; empty: from the task's data
  std::optional<int64_t> outputs = {};   // outputs of the head if there is no task
  bool generates = false;  // without a task: a decoder's language head, and the tokenizer
};

// UserError if anything is missing or does not match. `config.threads` is set for the process.
std::unique_ptr<Session> open_session(const RunConfig& config, const SessionOptions& options,
                                      TrainingCallback& progress);

// A session for training. UserError if task, method or examples are missing.
std::unique_ptr<Session> open_for_training(const RunConfig& config, TrainingCallback& progress);

// "auto" is CUDA if available. UserError if the device does not exist.
at::Device choose_device(const std::string& name);

// UserError at `where` if an id of the tokenizer has no embedding in the model.
void check_ids(std::span<const int32_t> ids, const ModelConfig& model, const std::string& where);

// Encodes a set of the session's task for evaluation or prediction.
EncodedExamples encode_evaluation(const Session& session, const DataSet& set);

// The advice of an error if all examples of a set were left out.
std::string advice_for_empty_set(const Session& session);

// encode_evaluation with checked ids. UserError if every example was left out.
EncodedSet encode_for(const Session& session, const DataSet& set);

SequenceRefs sequences_of(const std::vector<EncodedExample>& examples,
                          const std::vector<int64_t>& indices);

// Packs some examples as a batch on the session's device.
PackedBatch pack_examples(const Session& session, const std::vector<EncodedExample>& examples,
                          const std::vector<int64_t>& indices);

}  // namespace mixtune
