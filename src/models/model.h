// What the rest of the program knows of a model. Models offer sites and never see a method.
#pragma once

#include "models/model_config.h"
#include "nn/language_loss.h"
#include "nn/sites.h"

namespace mixtune {

// The head on top of the stack. `none`: a base model. Of encoders, on the first token: `pooled`,
// BERT's pooler (dense, tanh) and a classifier; `dense`, RoBERTa's dense, tanh, out_proj. Of
// decoders: `language`, the next token for every token; `last_token`, a classifier on the last one.
enum class HeadKind { none, pooled, dense, language, last_token };

class Model {
 public:
  virtual ~Model() = default;

  virtual const ModelConfig& config() const = 0;
  virtual Sites& sites() = 0;
  virtual int64_t labels() const = 0;  // outputs of the head; 0 without one

  // [S, labels], or [T, vocabulary] of a language model. Only the rows that the head reads are
  // computed in the last block.
  virtual Tensor logits(const PackedBatch& batch, ForwardContext& context) = 0;
  virtual Tensor last_hidden_state(const PackedBatch& batch,
                                   ForwardContext& context) = 0;  // [T, D]
  // BERT's pooler on the first token of each sequence: [S, D]; undefined where the model has none.
  virtual Tensor pooled(const Tensor& last_hidden_state, const SequenceLayout& rows) = 0;

  // The two halves of a language model's logits, for a loss that never holds all of them: what the
  // head multiplies, after the final norm ([T, D], or [read, D] of some rows, the only ones that
  // the last block then computes), and the head.
  virtual bool is_language_model() const { return false; }
  virtual Tensor head_input(const PackedBatch& batch, ForwardContext& context,
                            const SelectedRows* read);
  virtual LanguageHead language_head() const;

  // The longest sequence that has positions.
  virtual int64_t max_length() const = 0;
};

struct LoadReport {
  std::vector<std::string> missing;     // the pooler, where the file has none: initialised anew
  std::vector<std::string> unexpected;  // in the file (under today's names), not in the model
  std::vector<std::string> newly_initialized;  // weights of the head that the file does not have
  int64_t loaded = 0;
};

struct LoadOptions {
  std::optional<int64_t>
      labels;  // outputs of the head; none: a base model unless the config describes a head
  std::optional<HeadKind> head;   // by default that of the model type
  std::optional<double> dropout;  // of the model itself; none: what the config says
  RandomKey seed = 0;             // of newly initialised weights
  bool from_scratch = false;      // read config.json alone and initialise everything
  at::Device device = at::kCPU;
};

struct LoadedModel {
  std::unique_ptr<Model> model;
  LoadReport report;
};

// A Hugging Face folder: config.json and safetensors. A weight of the backbone that is missing, or
// has another shape than the config says, is a UserError; a head that is missing or has another
// number of labels is initialised anew, N(0, initializer_range) with zero bias, and reported.
LoadedModel load_model(const std::filesystem::path& folder, const LoadOptions& options);

// Draws every weight of a decoder anew: N(0, initializer_range), norms as the identity, biases 0;
// GPT-2's projections into the residual stream N(0, initializer_range / sqrt(2 layers)).
void initialize_decoder(Model& model, RandomKey seed);

// The same without weights: they are uninitialised but for norms. For tests and estimates.
std::unique_ptr<Model> make_model(const ModelConfig& config, HeadKind head, int64_t labels,
                                  const at::TensorOptions& options);

}  // namespace mixtune
