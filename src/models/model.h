// The interface of models to the rest of the program. Models expose sites, to which methods attach,
// and do not depend on a method.
#pragma once

#include "models/model_config.h"
#include "nn/language_loss.h"
#include "nn/sites.h"

namespace mixtune {

// The head on top of the stack; `none` is a base model. Encoders have a classifier on the first
// token: `pooled` is BERT's pooler (dense, tanh) and classifier, `dense` is RoBERTa's dense, tanh,
// out_proj. Decoders: `language` predicts the next token of every token, `last_token` is a
// classifier on the last one.
enum class HeadKind { none, pooled, dense, language, last_token };

class Model {
 public:
  virtual ~Model() = default;

  virtual const ModelConfig& config() const = 0;
  virtual Sites& sites() = 0;
  virtual int64_t labels() const = 0;  // outputs of the head; 0 without one

  // [S, labels], or [T, vocabulary] for a language model. The last layer computes only the rows
  // that the head reads.
  virtual Tensor logits(const PackedBatch& batch, ForwardContext& context) = 0;
  virtual Tensor last_hidden_state(const PackedBatch& batch,
                                   ForwardContext& context) = 0;  // [T, D]
  // BERT's pooler on the first token of each sequence: [S, D]; undefined if the model has none.
  virtual Tensor pooled(const Tensor& last_hidden_state, const SequenceLayout& rows) = 0;

  // The two factors of a language model's logits, for a loss that never stores all of them: the
  // input of the head after the final norm ([T, D], or [read, D] of selected rows, in which case
  // the last layer computes only these), and the head.
  virtual bool is_language_model() const { return false; }
  virtual Tensor head_input(const PackedBatch& batch, ForwardContext& context,
                            const SelectedRows* read);
  virtual LanguageHead language_head() const;

  // The maximum length of a sequence, in tokens.
  virtual int64_t max_length() const = 0;
};

struct LoadReport {
  std::vector<std::string> missing;     // the pooler if the file has none: newly initialized
  std::vector<std::string> unexpected;  // in the file (under current names), not in the model
  std::vector<std::string> newly_initialized;  // weights of the head that are not in the file
  int64_t loaded = 0;
};

struct LoadOptions {
  // Outputs of the head; nullopt: a base model unless the config describes a head.
  std::optional<int64_t> labels;
  std::optional<HeadKind> head;   // nullopt: that of the model type
  std::optional<double> dropout;  // dropout of the model itself; nullopt: that of the config
  RandomKey seed = 0;             // for newly initialized weights
  bool from_scratch = false;      // read config.json only and initialize all weights
  at::Device device = at::kCPU;
};

struct LoadedModel {
  std::unique_ptr<Model> model;
  LoadReport report;
};

// Loads a Hugging Face folder: config.json and safetensors. A backbone weight that is missing, or
// whose shape does not match the config, is a UserError. A head that is missing or has another
// number of labels is newly initialized, N(0, initializer_range) with zero bias, and reported.
LoadedModel load_model(const std::filesystem::path& folder, const LoadOptions& options);

// Initializes every weight of a decoder: N(0, initializer_range), norms as the identity, biases 0;
// GPT-2's projections into the residual stream N(0, initializer_range / sqrt(2 layers)).
void initialize_decoder(Model& model, RandomKey seed);

// Constructs a model whose weights, except those of norms, are uninitialized. For loading, tests
// and estimates.
std::unique_ptr<Model> make_model(const ModelConfig& config, HeadKind head, int64_t labels,
                                  const at::TensorOptions& options);

}  // namespace mixtune
