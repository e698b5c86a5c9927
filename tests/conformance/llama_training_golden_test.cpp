// Golden kind `llama_training`: a two-layer LLaMA with experts, trained by the authors' code:
// logits, losses, gradients and five AdamW steps. The variants without padding are compared: nopad
// (the padded batch as packed sequences), equal, and both without the router loss. Left out by
// name: ref.* except its logits, labels_masked.* (padding), and *.router_logits (compared through
// the losses that read them).
#include "support/golden_tensors.h"
#include "support/tiny_model.h"
#include "train/optimizer.h"

namespace mixtune::test {
namespace {

ModelConfig config_of(const Json& m) {
  ModelConfig c;
  c.model_type = "llama";
  c.vocab_size = m.at("vocab_size");
  c.hidden_size = m.at("hidden_size");
  c.layers = m.at("num_hidden_layers");
  c.heads = m.at("num_attention_heads");
  c.intermediate_size = m.at("intermediate_size");
  c.max_positions = m.at("max_position_embeddings");
  c.hidden_act = m.at("hidden_act");
  c.layer_norm_epsilon = m.at("rms_norm_eps");
  c.hidden_dropout = c.attention_dropout = 0;
  DecoderConfig d;
  d.head_width = m.at("head_dim");
  d.key_value_heads = m.at("num_key_value_heads");
  d.rotary.width = d.head_width;
  d.rotary.base = m.at("rope_theta");
  d.windows.assign(static_cast<size_t>(c.layers), 0);
  d.tied = m.at("tie_word_embeddings");
  c.decoder = d;
  return c;
}

// Feed-forward experts, and plain LoRA updates of the same rank in the attention.
std::string mixlora_recipe(const Json& c, bool has_router_loss) {
  const std::string rank = c.at("lora_r").dump(), alpha = c.at("lora_alpha").dump();
  return "num_experts: " + c.at("num_experts").dump() + "\ntop_k: " + c.at("top_k").dump() +
         "\nr: " + rank + "\nlora_alpha: " + alpha + "\nattention_r: " + rank +
         "\nattention_alpha: " + alpha + "\nlora_dropout: 0\nbalance: " +
         (has_router_loss ? c.at("router_aux_loss_coef").dump() : "0") + "\n";
}

std::string recipe_of(const Json& c, bool has_router_loss) {
  if (c.at("routing_strategy") == "mixlora") return mixlora_recipe(c, has_router_loss);
  std::string targets;
  for (const std::string one : c.at("target_modules"))
    targets += (targets.empty() ? "" : ", ") + one;
  std::string y = "target_modules: [" + targets + "]\nnum_experts: " + c.at("num_experts").dump() +
                  "\nr: " + c.at("lora_r").dump() + "\nlora_alpha: " + c.at("lora_alpha").dump() +
                  "\nlora_dropout: 0\n";
  const auto weight = [&](const char* key) { return has_router_loss ? c.at(key).dump() : "0"; };
  const std::string method = c.at("routing_strategy");
  if (method == "dynmole")
    y += "top_p: " + c.at("top_p").dump() + "\nkeep_top_k: " + c.at("keep_top_k").dump() +
         "\nentropy_threshold: " + c.at("entropy_threshold").dump() +
         "\nentropy_index: " + c.at("entropy_index").dump() +
         "\nentropy_eps: " + c.at("entropy_eps").dump() +
         "\nentropy_loss: " + weight("router_dyn_loss_coef") +
         "\nbalance: " + weight("router_aux_loss_coef") + "\n";
  if (method == "mola")
    y += "top_k: " + c.at("top_k").dump() +
         "\nform: pooled\nbalance: " + weight("router_aux_loss_coef") + "\n";
  return y;
}

// "dynmole.layers.0.mlp.up_proj.moe_gate.weight" to our name.
std::string our_name(const std::string& name) {
  std::string out = "model." + name.substr(name.find('.') + 1);
  const size_t gate = out.find(".moe_gate.");
  return gate == std::string::npos ? out : out.replace(gate, 10, ".router.");
}

struct Losses {
  Tensor logits, language, auxiliary, total;
  std::map<std::string, double> by_name;
};

class Runner {
 public:
  Runner(const GoldenCase& one, GoldenTensors& tensors, bool has_router_loss)
      : golden(one), tensors(tensors) {
    const Json& c = one.json.at("config");
    const ModelConfig config = config_of(c.at("model"));
    model_ = make_model(config, HeadKind::language, config.vocab_size, at::kFloat);
    {
      const at::NoGradGuard no_grad;
      for (const WeightSlot& slot : model_->sites().weights)
        slot.view().copy_(tensors.get("base." + slot.name));
    }
    const std::string method = c.at("adapter").at("routing_strategy");
    attachment_ = attach_method(model_->sites(), method,
                                recipe_of(c.at("adapter"), has_router_loss), {.train_head = false});
    for (const Segment& s : attachment_->trainables.segments()) names_[s.name] = &s;
    int64_t copied = 0;
    const std::string prefix = "adapter.";
    for (const auto& [name, value] : tensors.all()) {
      if (!name.starts_with(prefix)) continue;
      const at::NoGradGuard no_grad;
      attachment_->trainables.value_of(segment(name.substr(prefix.size()))).copy_(value);
      ++copied;
    }
    EXPECT_EQ(copied, static_cast<int64_t>(names_.size()));
  }

  void read_batch(const std::string& name) {
    const Tensor tokens = tensors.get(name + ".tokens"),
                 mask = tensors.get(name + ".attention_mask");
    std::vector<SequenceData> sequences;
    for (int64_t s = 0; s < tokens.size(0); ++s) {
      const Tensor row = tokens[s].masked_select(mask[s].to(at::kBool)).to(at::kInt);
      sequences.push_back({{row.data_ptr<int32_t>(), row.data_ptr<int32_t>() + row.numel()}, {}});
    }
    batch_ = packed(sequences);
  }

  Losses forward() {
    ForwardContext context(Phase::train, 0, 0, alone_);
    context.loss_statistics = attachment_->loss_statistics;
    Losses out;
    out.logits = model_->logits(batch_, context);  // [T, V]
    std::vector<int64_t> rows, targets;
    for (int64_t s = 0; s < batch_.rows.sequences(); ++s)
      for (int64_t r = batch_.rows.offsets[s]; r + 1 < batch_.rows.offsets[s + 1]; ++r)
        rows.push_back(r);
    const Tensor index = at::tensor(rows, at::kLong);
    out.language = at::cross_entropy_loss(out.logits.index_select(0, index),
                                          batch_.ids.index_select(0, index + 1));
    out.auxiliary = attachment_->auxiliary_sum(context);
    out.total = out.auxiliary.defined() ? out.language + out.auxiliary : out.language;
    for (const auto& [name, value] : attachment_->auxiliary(context))
      out.by_name[name] = value.item<double>();
    return out;
  }

  double tolerance(const char* name) const { return golden.json.at("tolerances").at(name); }
  const Segment& segment(const std::string& reference) const {
    return *names_.at(our_name(reference));
  }
  Trainables& trainables() { return attachment_->trainables; }

  const GoldenCase& golden;
  GoldenTensors& tensors;

 private:
  std::unique_ptr<Model> model_;
  std::unique_ptr<Attachment> attachment_;
  std::map<std::string, const Segment*> names_;
  PackedBatch batch_;
  Reducer alone_;
};

void check_start(Runner& r, const std::string& variant, const std::string& logits) {
  const Json& scalars = r.golden.json.at("scalars");
  r.trainables().zero_gradients();
  const Losses losses = r.forward();
  if (r.tensors.has(logits))
    r.tensors.expect_near(losses.logits, r.tensors.get(logits), r.tolerance("logits_abs"), logits);
  const auto expect = [&](const std::string& name, double value) {
    const std::string key = variant + "." + name;
    if (scalars.contains(key))
      r.tensors.expect_near(value, scalars.at(key), r.tolerance("loss_abs"), key);
  };
  expect("lm_loss", losses.language.item<double>());
  expect("total", losses.total.item<double>());
  if (losses.auxiliary.defined()) expect("aux", losses.auxiliary.item<double>());
  if (losses.by_name.contains("entropy")) expect("entropy_loss", losses.by_name.at("entropy"));
  if (losses.by_name.contains("load")) expect("balance_loss", losses.by_name.at("load"));
  losses.total.backward();
  const std::string prefix = variant + ".grad.";
  int64_t gradients = 0;
  for (const auto& [name, value] : r.tensors.all()) {
    if (!name.starts_with(prefix)) continue;
    r.tensors.expect_relative(r.trainables().gradient_of(r.segment(name.substr(prefix.size()))),
                              value, r.tolerance("grad_rel_max"), name);
    ++gradients;
  }
  EXPECT_EQ(gradients, static_cast<int64_t>(r.trainables().segments().size()));
}

// Rounding may change a decision near a tie: the recorded margin is the distance of the nearest
// one.
size_t comparable_steps(const Json& scalars, const std::string& variant, size_t steps) {
  const std::string key = variant + ".curve_min_margin_real_rows";
  if (!scalars.contains(key)) return steps;
  for (size_t s = 0; s < steps; ++s)
    if (scalars.at(key)[s].is_number() && scalars.at(key)[s].get<double>() < 1e-5) return s;
  return steps;
}

void check_curve(Runner& r, const std::string& variant) {
  const Json& scalars = r.golden.json.at("scalars");
  const Json& o = r.golden.json.at("config").at("optimizer");
  const auto curve = scalars.at(variant + ".curve_total").get<std::vector<double>>();
  const size_t steps = comparable_steps(scalars, variant, curve.size());
  AdamW optimizer(r.trainables(), {.beta1 = o.at("betas")[0],
                                   .beta2 = o.at("betas")[1],
                                   .epsilon = o.at("eps"),
                                   .defaults = {.learning_rate = o.at("lr"),
                                                .weight_decay = o.at("weight_decay")}});
  for (size_t s = 0; s < steps; ++s) {
    r.trainables().zero_gradients();
    const Losses losses = r.forward();
    const std::string step = variant + " step " + std::to_string(s);
    r.tensors.expect_near(losses.total.item<double>(), curve[s], r.tolerance("curve_abs"), step);
    r.tensors.expect_near(losses.language.item<double>(), scalars.at(variant + ".curve_lm")[s],
                          r.tolerance("curve_abs"), step);
    if (s + 1 == curve.size()) break;
    losses.total.backward();
    optimizer.step(1);
  }
  if (steps < curve.size()) return;
  const std::string prefix = variant + ".after5.";
  for (const auto& [name, value] : r.tensors.all()) {
    if (!name.starts_with(prefix)) continue;
    r.tensors.expect_near_by_norm(r.trainables().value_of(r.segment(name.substr(prefix.size()))),
                                  value, r.tolerance("after5_abs"), name);
  }
}

void check_variant(const GoldenCase& one, GoldenTensors& tensors, const std::string& variant) {
  SCOPED_TRACE(variant);
  const bool has_router_loss = !variant.ends_with("noaux"), equal = variant.starts_with("equal");
  Runner r(one, tensors, has_router_loss);
  r.read_batch(equal ? "equal" : "padded");
  check_start(r, variant, equal ? "equal.logits_real" : "ref.logits_real");
  check_curve(r, variant);
}

void check_llama_training(const GoldenCase& one, GoldenTally& tally) {
  GoldenTensors tensors(one.folder / "tensors.safetensors");
  for (const std::string variant : {"nopad", "equal", "noaux", "equal_noaux"})
    if (one.json.at("scalars").contains(variant + ".lm_loss")) check_variant(one, tensors, variant);
  tally.checked(one, tensors.values());
}

MIXTUNE_GOLDEN_CHECKER(llama_training, check_llama_training);

}  // namespace
}  // namespace mixtune::test
