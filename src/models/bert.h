// BERT and RoBERTa: embeddings, a stack of post-norm layers, a head on the first token. Modules
// have the Hugging Face names, with the prefix "bert." or "roberta." if there is a head and without
// it for a base model.
#pragma once

#include "models/model.h"
#include "nn/attention.h"

namespace mixtune {

class BertLayer final : public Layer {
 public:
  BertLayer(const ModelConfig& config, const std::string& prefix, int64_t number,
            const at::TensorOptions& options);
  Tensor forward(const Tensor& z, const Call& call) override;
  bool is_random() const override;

  LinearGroup attention;  // query, key, value
  LinearGroup attention_output;
  ResidualNorm attention_norm;
  FeedForward feed_forward;
  ResidualNorm output_norm;

 private:
  AttentionShape shape_;
  double attention_dropout_;
};

class BertModel final : public Model {
 public:
  BertModel(const ModelConfig& config, HeadKind head, int64_t labels,
            const at::TensorOptions& options);

  const ModelConfig& config() const override { return config_; }
  Sites& sites() override { return sites_; }
  int64_t labels() const override { return labels_; }
  Tensor logits(const PackedBatch& batch, ForwardContext& context) override;
  Tensor last_hidden_state(const PackedBatch& batch, ForwardContext& context) override;
  Tensor pooled(const Tensor& last_hidden_state, const SequenceLayout& rows) override;
  int64_t max_length() const override;

 private:
  Tensor embed(const PackedBatch& batch, ForwardContext& context) const;
  Tensor head(const Tensor& first, const SequenceLayout& rows, ForwardContext& context) const;
  void list_sites();

  ModelConfig config_;
  HeadKind head_;
  int64_t labels_;
  std::string prefix_;
  Tensor words_, positions_, token_types_;  // [vocab, D], [positions, D], [types, D]
  LayerNorm embedding_norm_;
  LayerStack stack_;
  std::vector<BertLayer*> layers_;  // the layers owned by stack_
  std::optional<LinearGroup> dense_, classifier_;
  Sites sites_;
};

std::unique_ptr<Model> make_bert(const ModelConfig& config, HeadKind head, int64_t labels,
                                 const at::TensorOptions& options);

}  // namespace mixtune
