// A golden case of kind `molex` as a model, a method and a batch. The encoders (RoBERTa, BERT,
// MiniLM) and GPT-2 differ in their configs, in the tensor names of the reference, in the tokens
// that vote and in the task loss.
#pragma once

#include "base/config.h"
#include "methods/method.h"
#include "models/config_fields.h"
#include "models/model.h"
#include "support/golden_tensors.h"

namespace mixtune::test {

inline bool is_minilm(const GoldenCase& one) {
  return one.name.starts_with("minilm");
}

// Converts names and tensors of the reference to ours. One tensor can become several: GPT-2's fused
// LoRA contains query and value, A as r rows each, B as halves.
class MolexNames {
 public:
  MolexNames(std::string model_type, int64_t rank)
      : model_type_(std::move(model_type)), rank_(rank) {}

  NamedTensors ours(const std::string& name, const Tensor& tensor) const {
    if (model_type_ == "gpt2" && name.ends_with(".lora_A"))
      return halves(name, tensor, rank_, ".lora_A.weight");
    if (model_type_ == "gpt2" && name.ends_with(".lora_B"))
      return halves(name, tensor, tensor.size(0) / 2, ".lora_B.weight");
    return {{one(name), tensor}};
  }

 private:
  static NamedTensors halves(const std::string& name, const Tensor& tensor, int64_t rows,
                             const std::string& end) {
    const std::string stem = name.substr(0, name.size() - 7);
    return {{stem + ".query" + end, tensor.narrow(0, 0, rows)},
            {stem + ".value" + end, tensor.narrow(0, rows, tensor.size(0) - rows)}};
  }

  std::string one(const std::string& name) const {
    if (name.ends_with(".lora_A") || name.ends_with(".lora_B")) return name + ".weight";
    const bool gpt2 = model_type_ == "gpt2";
    const std::string root = gpt2 ? "transformer." : model_type_ + ".encoder.";
    const std::string layer = gpt2 ? "h." : "layer.";
    if (!name.starts_with(root)) return name;
    std::string rest = name.substr(root.size()), number;
    if (rest.starts_with(layer)) {
      const size_t dot = rest.find('.', layer.size());
      number = rest.substr(layer.size() - 1, dot - layer.size() + 1);  // ".3"
      rest = rest.substr(dot + 1);
    }
    if (rest.starts_with("gate.")) return "molex.gate" + number + rest.substr(4);
    if (rest == "weight_main") return "molex.alpha" + number + ".main";
    if (rest == "weight_other") return "molex.alpha" + number + ".other";
    return name;
  }

  std::string model_type_;
  int64_t rank_;
};

inline ModelConfig molex_model_config(const GoldenCase& one) {
  const Json& c = one.json.at("config");
  ModelConfig out;
  out.model_type = one.json.at("model_type").get<std::string>();
  if (is_decoder_type(out.model_type)) {
    read_decoder(ConfigFields(c, one.name), out);
    out.attention_dropout = out.decoder->embedding_dropout = out.decoder->residual_dropout = 0;
    return out;
  }
  out.vocab_size = c.at("vocab_size");
  out.hidden_size = c.at("hidden_size");
  out.layers = c.at("num_hidden_layers");
  out.heads = c.at("num_attention_heads");
  out.intermediate_size = c.at("intermediate_size");
  out.max_positions = c.at("max_position_embeddings");
  out.type_vocab_size = c.value("type_vocab_size", 2);
  out.layer_norm_epsilon = c.value("layer_norm_eps", 1e-12);
  out.pad_token_id = c.value("pad_token_id", out.model_type == "roberta" ? 1 : 0);
  out.hidden_dropout = out.attention_dropout = 0;
  return out;
}

// The case's settings as a recipe.
inline std::string molex_recipe(const GoldenCase& one, const std::string& vote) {
  const Json& m = one.json.at("molex");
  const Json& c = one.json.at("config");
  const std::string alpha = m.at("alpha"), choice = m.value("choice", "vote");
  std::string y = "over: {name: lora, r: " + c.at("lora_r").dump() +
                  ", lora_alpha: " + c.at("lora_alpha").dump() + "}\n";
  y += "compat: reference\nscope: " + vote + "\n";
  y += m.contains("mixed_layers") ? "layers_to_transform: " + m.at("mixed_layers").dump() + "\n"
                                  : "layers_to_transform: '" + m.at("layers_to_use").dump() + "'\n";
  y += std::string("reduce: ") + (choice.starts_with("vote") ? "vote" : "mean") + "\n";
  y += "gate: {kind: " + m.at("gate").get<std::string>() +
       ", sharing: " + (m.at("gate_per_layer").get<bool>() ? "per_layer" : "shared") +
       ", projection: " + std::to_string(m.value("proj_dim", 256)) + "}\n";
  y += std::string("alpha: {kind: ") + (alpha.starts_with("learned") ? "learned" : "fixed") +
       ", main: " + m.at("weight_main_init").dump() +
       ", other: " + m.at("weight_other_init").dump();
  if (alpha.find("per layer") != std::string::npos) y += ", sharing: per_layer";
  y += "}\n";
  y += "balance: " + (m.value("balance", false) ? m.at("g_balance").dump() : std::string("0")) +
       "\n";
  return y;
}

struct MolexOutcome {
  Tensor logits, task, balance, total;
};

class MolexRunner {
 public:
  MolexRunner(const GoldenCase& one, const std::string& vote)
      : golden(one),
        tensors(one.folder / "tensors.safetensors"),
        names(one.json.at("model_type"), one.json.at("config").at("lora_r")) {
    model_ = build();
    Choice choice{"molex", methods().get("molex", "", "method").config()};
    ConfigLayers layers;
    layers.add_text(molex_recipe(one, vote), one.name);
    layers.apply(*choice.config);
    attachment =
        attach(specs_of(choice, {model_->config().layers, decoder()}), model_->sites(), {});
    fill();
    batch = decoder() || !tensors.has("attention_mask") ? fixed_length() : real_tokens();
  }

  Model& model() { return *model_; }
  bool decoder() const { return model_->config().decoder.has_value(); }
  // A sequence consists of its real tokens here, so the recorded choices are forced. GPT-2 has no
  // mask: the reference treats padding as tokens, and so does this batch.
  bool padded() const { return !decoder() && golden.json.at("right_padded").get<bool>(); }
  bool balanced() const { return golden.json.at("molex").at("balance").get<bool>(); }
  double tolerance(const char* name) const { return golden.json.at("tolerances").at(name); }
  int64_t layers() const { return model_->config().layers; }
  std::vector<int64_t> mixed() const { return golden.json.at("molex").at("mixed_layers"); }

  ForwardContext context() {
    ForwardContext out(Phase::train, 0, 0, alone_);
    out.loss_statistics = attachment->loss_statistics;
    return out;
  }

  void force(ForwardContext& c, const Tensor& choice) const {
    const auto positions = mixed();
    for (size_t i = 0; i < positions.size(); ++i)
      c.pin("molex", {.position = positions[i], .layer = positions[i]},
            {{choice[static_cast<int64_t>(i)].item<int64_t>()}});
  }

  MolexOutcome forward(ForwardContext& c) {
    MolexOutcome out;
    out.logits = model_->logits(batch, c);
    out.task = task_loss(out.logits);
    const auto losses = attachment->auxiliary(c);
    out.balance = losses.empty() ? at::zeros({}) : losses[0].second;
    const Tensor weighted = attachment->auxiliary_sum(c);
    out.total = weighted.defined() ? out.task + weighted : out.task;
    return out;
  }

  // One step of torch's AdamW by its definition.
  void adamw_step(int64_t step) {
    const at::NoGradGuard no_grad;
    const Json& a = golden.json.at("adamw");
    const double b1 = a.at("betas")[0], b2 = a.at("betas")[1];
    const double c1 = 1 - std::pow(b1, step), c2 = 1 - std::pow(b2, step);
    Trainables& t = attachment->trainables;
    if (!first_.defined()) {
      first_ = at::zeros_like(t.gradients);
      second_ = at::zeros_like(t.gradients);
    }
    first_.mul_(b1).add_(t.gradients, 1 - b1);
    second_.mul_(b2).addcmul_(t.gradients, t.gradients, 1 - b2);
    const auto [gate_rate, gate_decay] = gate_group();
    for (const Segment& s : t.segments()) {
      const bool gate = s.group == "gate", bias = s.group == "head" && !s.decays;
      const double rate = gate ? gate_rate : a.at("lr").get<double>();
      const double decay = gate ? gate_decay : bias ? 0 : a.at("weight_decay").get<double>();
      const auto part = [&](const Tensor& flat) { return flat.narrow(0, s.offset, s.count()); };
      part(t.values).mul_(1 - rate * decay);
      const Tensor denominator =
          (part(second_).sqrt() / std::sqrt(c2)).add_(a.at("eps").get<double>());
      part(t.values).addcdiv_(part(first_), denominator, -rate / c1);
    }
  }

  // "gate weights ...: 0.1, 0.1": the learning rate and the weight decay of gate and mixing
  // weights.
  std::pair<double, double> gate_group() const {
    for (const Json& line : golden.json.at("adamw").at("groups")) {
      const std::string text = line;
      if (!text.starts_with("gate")) continue;
      double rate = 0, decay = 0;
      EXPECT_EQ(std::sscanf(text.c_str() + text.rfind(':'), ": %lf, %lf", &rate, &decay), 2)
          << text;
      return {rate, decay};
    }
    ADD_FAILURE() << "the case has no gate group";
    return {};
  }

  // Real tokens of a padded tensor [S, N, ...] to [T, ...].
  Tensor real(const Tensor& padded_tensor) const {
    std::vector<Tensor> parts;
    for (int64_t s = 0; s < batch.rows.sequences(); ++s)
      parts.push_back(padded_tensor[s].narrow(0, 0, batch.rows.length(s)));
    return at::cat(parts, 0);
  }

  const GoldenCase& golden;
  GoldenTensors tensors;
  MolexNames names;
  std::unique_ptr<Attachment> attachment;
  PackedBatch batch;

  // The sequences of a decoder without the padding that its batch contains as tokens.
  PackedBatch without_padding() const {
    const std::vector<int64_t> counts = golden.json.at("token_counts");
    std::vector<SequenceData> sequences;
    for (size_t s = 0; s < counts.size(); ++s)
      sequences.push_back(sequence(static_cast<int64_t>(s), counts[s]));
    return packed(sequences);
  }

 private:
  // GPT-2's loss: summed over the supervised tokens, with label smoothing, divided by (their number
  // + 1e-4).
  Tensor task_loss(const Tensor& logits) const {
    if (decoder()) {
      const double smoothing = golden.json.at("label_smoothing");
      const Tensor log_p = at::log_softmax(logits, 1);  // [T, V]
      const Tensor labels = tensors.get("labels").to(at::kLong).view({-1, 1});
      const Tensor nll = -log_p.gather(1, labels).squeeze(1);
      const Tensor loss = (1 - smoothing) * nll - smoothing * log_p.mean(1);
      const Tensor mask = tensors.get("label_mask").view({-1});
      return (mask * loss).sum() / (mask.sum() + 1e-4);
    }
    return model_->labels() == 1
               ? at::mse_loss(logits.view({-1}), tensors.get("labels").to(at::kFloat))
               : at::cross_entropy_loss(logits, tensors.get("labels").to(at::kLong));
  }

  std::unique_ptr<Model> build() {
    const ModelConfig config = is_minilm(golden) ? ModelConfig() : molex_model_config(golden);
    if (config.decoder) return make_model(config, HeadKind::language, 0, at::kFloat);
    const int64_t labels = golden.json.at("config").at("num_labels");
    if (is_minilm(golden)) {
      const bool pooled = golden.json.at("head").get<std::string>().starts_with("pooler");
      ModelConfig minilm = read_model_config(minilm_folder());
      minilm.hidden_dropout = minilm.attention_dropout = 0;
      auto model =
          make_model(minilm, pooled ? HeadKind::pooled : HeadKind::dense, labels, at::kFloat);
      fill_from(*model, read_model_tensors(minilm_folder()), "bert.");
      return model;
    }
    return make_model(config, config.model_type == "roberta" ? HeadKind::dense : HeadKind::pooled,
                      labels, at::kFloat);
  }

  static size_t fill_from(Model& model, const NamedTensors& file, const std::string& prefix) {
    const at::NoGradGuard no_grad;
    size_t filled = 0;
    for (const auto& [name, tensor] : file)
      for (const WeightSlot& slot : model.sites().weights)
        if (slot.name == prefix + name) {
          slot.view().copy_(tensor);
          ++filled;
        }
    return filled;
  }

  void fill() {
    const at::NoGradGuard no_grad;
    NamedTensors all = tensors.all();
    if (golden.json.contains("weights_file"))
      for (const auto& entry :
           read_tensors(golden.folder / golden.json.at("weights_file").get<std::string>()))
        all.push_back(entry);
    fill_from(*model_, all, "");
    std::map<std::string, Tensor> ours;  // the case's own come first
    for (const auto& [name, tensor] : all)
      for (const auto& [our_name, part] : names.ours(name, tensor)) ours.emplace(our_name, part);
    for (const auto& [name, view] : attachment->state()) {
      const auto found = ours.find(name);
      EXPECT_NE(found, ours.end()) << "the case has no " << name;
      if (found != ours.end()) view.copy_(found->second);
    }
  }

  SequenceData sequence(int64_t s, int64_t length) const {
    SequenceData out;
    const Tensor ids = tensors.get("input_ids")[s];
    for (int64_t n = 0; n < length; ++n)
      out.ids.push_back(static_cast<int32_t>(ids[n].item<int64_t>()));
    if (!tensors.has("token_type_ids")) return out;
    const Tensor types = tensors.get("token_type_ids")[s];
    for (int64_t n = 0; n < length; ++n)
      out.types.push_back(static_cast<int32_t>(types[n].item<int64_t>()));
    return out;
  }

  PackedBatch real_tokens() const {
    const Tensor lengths = tensors.get("attention_mask").sum(1);
    std::vector<SequenceData> sequences;
    for (int64_t s = 0; s < lengths.size(0); ++s)
      sequences.push_back(sequence(s, lengths[s].item<int64_t>()));
    return packed(sequences);
  }

  PackedBatch fixed_length() const {
    const Tensor ids = tensors.get("input_ids");
    std::vector<SequenceData> sequences;
    for (int64_t s = 0; s < ids.size(0); ++s) sequences.push_back(sequence(s, ids.size(1)));
    return packed(sequences);
  }

  std::unique_ptr<Model> model_;
  Reducer alone_;
  Tensor first_, second_;
};

}  // namespace mixtune::test
