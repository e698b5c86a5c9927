// What a config becomes before anything runs: tokenizer, task, encoded data, the model with its
// method attached and, where one is named, an adapter's tensors in place. Training, the preflight,
// evaluation and prediction all start here, so that what was checked is what runs.
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
  std::vector<EncodedExample> examples;  // sequences, each of one of the set's examples
  std::vector<std::string> notes = {};   // what was left out
};

// How an adapter's tensors found their places.
struct AdapterReport {
  int64_t loaded = 0;
  std::vector<std::string>
      newly_initialized;                 // of the head: the adapter lacks them or has other shapes
  std::vector<std::string> differences;  // "method.alpha is 16 in the adapter, 32 here"
  std::vector<std::string> warnings;     // of reading it
};

struct Session {
  RunConfig config;
  at::Device device = at::kCPU;
  std::unique_ptr<Tokenizer> tokenizer;      // null where there is no task
  std::unique_ptr<Task> task;                // null where nothing names one
  std::unique_ptr<TaskObjective> objective;  // of the task
  std::unique_ptr<Model> model;
  LoadReport load_report;
  std::unique_ptr<Attachment> attachment;
  AdapterReport adapter_report;
  int64_t max_length = 0;  // the task's, lowered to what the model takes
  // Without a task, of what writes: the token that the source's task puts behind each text.
  std::optional<int32_t> supervised_end;
  int64_t routing_tokens = 0;          // see train/routing_tokens.h
  EncodedSet train;                    // empty unless asked for
  std::vector<EncodedSet> evaluation;  // empty unless asked for

  // The name of a label id; its number where the task has no names.
  std::string label_name(int64_t label) const;
};

enum class AdapterUse {
  start,    // of a new run: a head of another label count is drawn anew and reported
  restore,  // everything must fit
};

struct SessionOptions {
  bool train_data = true, evaluation_data = true;
  AdapterUse adapter_use = AdapterUse::start;
  std::vector<std::string> labels =
      {};  // names saved with an adapter; empty: those of the task's data
  std::optional<int64_t> outputs = {};  // of the head, where there is no task
  bool generates = false;  // without a task: a decoder's language head, and the tokenizer
};

// UserError for whatever is missing or does not fit. `config.threads` is set for the process.
std::unique_ptr<Session> open_session(const RunConfig& config, const SessionOptions& options,
                                      TrainingCallback& progress);

// A session with all that training needs. UserError where task, method or examples are missing.
std::unique_ptr<Session> open_for_training(const RunConfig& config, TrainingCallback& progress);

// "auto" is CUDA where there is one. UserError where the device does not exist.
at::Device choose_device(const std::string& name);

// What the tokenizer says must be an embedding of the model: UserError at `where`.
void check_ids(std::span<const int32_t> ids, const ModelConfig& model, const std::string& where);

// A set of the session's task as it is evaluated or predicted.
EncodedExamples encode_evaluation(const Session& session, const DataSet& set);

// What to do where all examples of a set were left out.
std::string what_leaves_more(const Session& session);

// The same, its ids checked. UserError where every example was left out.
EncodedSet encode_for(const Session& session, const DataSet& set);

SequenceRefs sequences_of(const std::vector<EncodedExample>& examples,
                          const std::vector<int64_t>& indices);

// Some examples as a batch on the session's device.
PackedBatch pack_examples(const Session& session, const std::vector<EncodedExample>& examples,
                          const std::vector<int64_t>& indices);

}  // namespace mixtune
