// A tiny random model, a method attached from recipe YAML, and batches whose examples are
// determined by their number. Weights are larger than usual initial weights, so that layers differ.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>

#include "base/config.h"
#include "methods/method.h"
#include "models/model.h"
#include "support/rounding.h"

namespace mixtune::test {

// Uses one thread: tiny tensors gain nothing from threads, and ctest runs many programs at once.
// OMP_NUM_THREADS overrides it.
inline const bool kSingleThread = !std::getenv("OMP_NUM_THREADS") && (at::set_num_threads(1), true);

// A decoder with the characteristic options of its model type, and with biases everywhere, so that
// every method finds something to train.
inline DecoderConfig tiny_decoder(const std::string& type, int64_t layers) {
  DecoderConfig d;
  d.head_width = 8;
  d.key_value_heads = type == "gpt2" ? 2 : 1;
  d.rotary.width = 8;
  d.tied = type != "llama";
  d.attention_biased = d.output_biased = d.feed_forward_biased = true;
  d.windows.assign(static_cast<size_t>(layers), type == "mistral" ? 4 : 0);
  d.normalizes_heads = type == "qwen3";
  if (type.starts_with("gemma")) {
    d.norm_offset = 1;
    d.embedding_scale = 4;
  }
  if (type == "gemma2") {
    d.normalizes_outputs = true;
    d.attention_cap = d.logits_cap = 5;
    d.windows[0] = 3;
  }
  return d;
}

inline ModelConfig tiny_config(const std::string& type, int64_t layers = 4) {
  ModelConfig c;
  c.model_type = type;
  c.vocab_size = 40;
  c.hidden_size = 16;
  c.layers = layers;
  c.heads = 2;
  c.intermediate_size = 24;
  c.max_positions = 24;
  c.type_vocab_size = type == "roberta" ? 1 : 2;
  c.pad_token_id = type == "roberta" ? 1 : 0;
  c.hidden_dropout = c.attention_dropout = 0;
  if (type == "bert" || type == "roberta") return c;
  c.decoder = tiny_decoder(type, layers);
  c.pad_token_id = -1;
  c.type_vocab_size = 1;
  c.layer_norm_epsilon = 1e-6;
  if (type != "gpt2") c.hidden_act = type.starts_with("gemma") ? "gelu_pytorch_tanh" : "silu";
  return c;
}

inline HeadKind head_of(const ModelConfig& c) {
  if (c.decoder) return HeadKind::last_token;
  return c.model_type == "roberta" ? HeadKind::dense : HeadKind::pooled;
}

// A deterministic tensor that depends on its name.
inline Tensor draw(at::IntArrayRef shape, double deviation, const std::string& name,
                   RandomKey seed = 1) {
  return normal_tensor(shape, deviation, derive(seed, name));
}

inline std::unique_ptr<Model> tiny_model(const ModelConfig& config,
                                         at::TensorOptions options = at::kFloat,
                                         std::optional<HeadKind> head = {}) {
  const at::NoGradGuard no_grad;
  auto model = make_model(config, head.value_or(head_of(config)), 2, options);
  for (const WeightSlot& slot : model->sites().weights) {
    const Tensor view = slot.view();
    view.copy_(draw(view.sizes(), slot.kind == WeightKind::matrix ? 0.25 : 0.3, slot.name));
    if (slot.kind == WeightKind::norm && slot.name.ends_with(".weight")) view.add_(1);
  }
  return model;
}

// Attaches a method with options as in a recipe: attach_method(sites, "lora", "r: 2").
inline std::vector<AdapterSpec> specs_from(const std::string& method, const std::string& yaml,
                                           const StackShape& shape) {
  Choice choice{method, methods().get(method, "method.name", "method").config()};
  ConfigLayers config;
  if (!yaml.empty()) config.add_text(yaml, "test");
  config.apply(*choice.config);
  return specs_of(choice, shape);
}

inline std::unique_ptr<Attachment> attach_method(Sites& sites, const std::string& method,
                                                 const std::string& yaml,
                                                 const AttachOptions& options = {},
                                                 bool causal = false) {
  const StackShape shape{sites.stack ? sites.stack->size() : 0, causal};
  return attach(specs_from(method, yaml, shape), sites, options);
}

// Adds noise that depends only on names to all trained tensors, so that none stays at zero.
inline void perturb(Trainables& trainables, double deviation = 0.2, RandomKey seed = 2) {
  const at::NoGradGuard no_grad;
  for (const Segment& s : trainables.segments())
    trainables.value_of(s).add_(
        draw(s.shape, deviation, s.name, seed).to(trainables.values.device()));
}

// Packs sequences given by ids; `examples` are their example numbers, by default 0, 1, ...
inline PackedBatch pack_sequences(const std::vector<std::vector<int32_t>>& texts,
                                  const std::vector<int64_t>& examples = {}) {
  std::vector<SequenceView> views;
  for (size_t i = 0; i < texts.size(); ++i)
    views.push_back({texts[i].data(), nullptr, static_cast<int64_t>(texts[i].size()),
                     examples.empty() ? static_cast<int64_t>(i) : examples[i]});
  return pack(views, at::kCPU);
}

// Examples of 3 to 9 tokens; ids from 4 on, as lower ones are special.
inline PackedBatch pack_examples(const std::vector<int64_t>& examples, int64_t vocabulary = 40) {
  std::vector<std::vector<int32_t>> texts;
  for (const int64_t example : examples) {
    const RandomKey key = derive(3, static_cast<uint64_t>(example));
    std::vector<int32_t> ids(3 + random_integer(key, 0, 7));
    for (size_t n = 0; n < ids.size(); ++n)
      ids[n] = static_cast<int32_t>(
          4 + random_integer(key, n + 1, static_cast<uint64_t>(vocabulary - 4)));
    texts.push_back(std::move(ids));
  }
  return pack_sequences(texts, examples);
}

// The layout of sequences with these lengths, without a model.
inline SequenceLayout rows_of(const std::vector<int64_t>& lengths,
                              const std::vector<int64_t>& examples = {}) {
  std::vector<std::vector<int32_t>> texts;
  for (const int64_t length : lengths) texts.emplace_back(static_cast<size_t>(length), 1);
  return pack_sequences(texts, examples).rows;
}

// A model with a method.
struct Attached {
  Attached(const ModelConfig& config, const std::string& method, const std::string& yaml,
           at::TensorOptions options = at::kFloat, const AttachOptions& attach_options = {})
      : model(tiny_model(config, options)),
        attachment(attach_method(model->sites(), method, yaml, attach_options,
                                 config.decoder.has_value())) {}

  ForwardContext context(Phase phase = Phase::evaluate, int64_t step = 0, RandomKey seed = 7) {
    ForwardContext out(phase, seed, step, alone);
    out.loss_statistics = attachment->loss_statistics;
    return out;
  }
  Tensor logits(const PackedBatch& batch) {
    ForwardContext c = context();
    return model->logits(batch, c);
  }
  Trainables& trainables() { return attachment->trainables; }
  LayerStack& stack() { return *model->sites().stack; }
  Tensor gradient(const std::string& name) {
    const Segment* segment = trainables().find(name);
    MIXTUNE_CHECK(segment != nullptr, name);
    return trainables().gradient_of(*segment);
  }

  std::unique_ptr<Model> model;
  std::unique_ptr<Attachment> attachment;
  Reducer alone;
};

inline CallPath own_path(int64_t t) {
  return {.position = t, .layer = t};
}

// MoLEx's decision at a position: one layer for all sequences, or one per sequence.
inline void force(ForwardContext& context, int64_t position, std::vector<int64_t> layers) {
  context.pin("molex", own_path(position), {std::move(layers)});
}
inline void force_all(ForwardContext& context, const std::vector<int64_t>& layers) {
  for (size_t t = 0; t < layers.size(); ++t) force(context, static_cast<int64_t>(t), {layers[t]});
}
inline std::vector<int64_t> decision(ForwardContext& context, int64_t position) {
  return context.route("molex", own_path(position), [] { return Decision{}; }).choice;
}

inline double largest_difference(const Tensor& a, const Tensor& b) {
  MIXTUNE_CHECK(a.sizes() == b.sizes(), shape_text(a) + " and " + shape_text(b));
  if (a.numel() == 0) return 0;
  return (a.detach().to(at::kDouble) - b.detach().to(at::kDouble))
      .abs()
      .nan_to_num(1e30)
      .max()
      .item<double>();
}

#define EXPECT_CLOSE(a, b, tolerance) \
  EXPECT_LE(::mixtune::test::largest_difference(a, b), tolerance)
#define EXPECT_SAME(a, b) EXPECT_TRUE(at::equal((a).detach(), (b).detach()))

}  // namespace mixtune::test
