// The common part of causal models: token embeddings, the stack, the final norm and the heads.
// GPT-2 and the LLaMA family add the layers, the embedding and the final norm.
#pragma once

#include "models/model.h"
#include "nn/key_value_cache.h"

namespace mixtune {

class DecoderModel : public Model {
 public:
  const ModelConfig& config() const override { return config_; }
  Sites& sites() override { return sites_; }
  int64_t labels() const override { return outputs_; }
  Tensor logits(const PackedBatch& batch, ForwardContext& context) override;
  Tensor last_hidden_state(const PackedBatch& batch, ForwardContext& context) override;
  // The logits of the token after each sequence: [S, vocabulary]. Needs a language head.
  Tensor next_logits(const PackedBatch& batch, ForwardContext& context);
  Tensor pooled(const Tensor&, const SequenceLayout&) override { return {}; }
  bool is_language_model() const override { return head_ == HeadKind::language; }
  Tensor head_input(const PackedBatch& batch, ForwardContext& context,
                    const SelectedRows* read) override;
  LanguageHead language_head() const override;
  int64_t max_length() const override;
  // The linear of the head; null if the head is tied to the embedding.
  LinearGroup* head_group() { return classifier_ ? &*classifier_ : nullptr; }

  // A packed copy of a tied head during generation.
  std::unique_ptr<const PackedWeight> packed_words;

 protected:
  // `base`: the prefix of the names below a head ("model.", "transformer.").
  DecoderModel(const ModelConfig& config, HeadKind head, int64_t labels, const std::string& base,
               const at::TensorOptions& options);

  virtual Tensor embed(const PackedBatch& batch, ForwardContext& context) const = 0;  // [T, D]
  virtual Tensor final_norm(const Tensor& z) const = 0;

  const DecoderConfig& decoder() const { return *config_.decoder; }
  void add_weight(const std::string& name, Tensor& storage, WeightKind kind);
  void add_group(LinearGroup& group);
  void add_head();  // call last, since files list it last

  ModelConfig config_;
  std::string prefix_;  // prefix of the weights below the head
  Tensor words_;        // [vocabulary, D]
  LayerStack stack_;
  Sites sites_;

 private:
  SequenceLayout rows_of(const PackedBatch& batch) const;
  Tensor through_head(const Tensor& z) const;

  HeadKind head_;
  int64_t outputs_;
  std::optional<LinearGroup> classifier_;  // an untied lm_head, or score
};

std::unique_ptr<Model> make_gpt2(const ModelConfig& config, HeadKind head, int64_t labels,
                                 const at::TensorOptions& options);
std::unique_ptr<Model> make_llama(const ModelConfig& config, HeadKind head, int64_t labels,
                                  const at::TensorOptions& options);

}  // namespace mixtune
