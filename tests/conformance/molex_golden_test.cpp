// Kind `molex`: the released MoLEx code, executed. A sequence of a padded case is its real tokens:
// there the recorded choices are forced, and our own vote is taken on the recorded probabilities
// (tests of real tokens only).
#include <gtest/gtest.h>

#include <set>

#include "base/config.h"
#include "methods/method.h"
#include "models/model.h"
#include "support/golden_tensors.h"

namespace molt::test {
namespace {

fs::path minilm_folder() {
  if (const char* value = std::getenv("MOLT_MINILM")) return value;
  return source_dir() / ".cache" / "all-MiniLM-L6-v2";
}

bool is_minilm(const GoldenCase& one) {
  return one.name.starts_with("minilm");
}

ModelConfig config_of(const GoldenCase& one) {
  const Json& c = one.json.at("config");
  ModelConfig out;
  out.model_type = one.json.at("model_type").get<std::string>();
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

// The names of the reference to ours.
std::string our_name(const std::string& name, const std::string& model_type) {
  if (name.ends_with(".lora_A") || name.ends_with(".lora_B")) return name + ".weight";
  const std::string encoder = model_type + ".encoder.";
  if (!name.starts_with(encoder)) return name;
  std::string rest = name.substr(encoder.size()), number;
  if (rest.starts_with("layer.")) {
    const size_t dot = rest.find('.', 6);
    number = rest.substr(5, dot - 5);  // ".3"
    rest = rest.substr(dot + 1);
  }
  if (rest.starts_with("gate.")) return "molex.gate" + number + rest.substr(4);
  if (rest == "weight_main") return "molex.alpha" + number + ".main";
  if (rest == "weight_other") return "molex.alpha" + number + ".other";
  return name;
}

// The case's settings as a recipe: what a user would write.
std::string recipe_of(const GoldenCase& one, const std::string& vote) {
  const Json& m = one.json.at("molex");
  const Json& c = one.json.at("config");
  std::string y = "over: {name: lora, rank: " + c.at("lora_r").dump() +
                  ", alpha: " + c.at("lora_alpha").dump() + "}\n";
  y += "compat: released\nvote: " + vote + "\nlayers: " + m.at("mixed_layers").dump() + "\n";
  y += "gate: {kind: " + m.at("gate").get<std::string>() +
       ", sharing: " + (m.at("gate_per_layer").get<bool>() ? "per_layer" : "shared") +
       ", projection: " + std::to_string(m.value("proj_dim", 256)) + "}\n";
  y += "alpha: {kind: " + m.at("alpha").get<std::string>() +
       ", main: " + m.at("weight_main_init").dump() +
       ", other: " + m.at("weight_other_init").dump() + "}\n";
  y += "balance: " + (m.at("balance").get<bool>() ? m.at("g_balance").dump() : std::string("0")) +
       "\n";
  return y;
}

struct Outcome {
  Tensor logits, task, balance, total;
  std::vector<Tensor> hidden;
};

class Runner {
 public:
  Runner(const GoldenCase& one, const std::string& vote)
      : golden(one), tensors(one.folder / "tensors.safetensors") {
    model_ = build();
    Choice choice{"molex", methods().get("molex", "", "method").config()};
    ConfigLayers layers;
    layers.add_text(recipe_of(one, vote), one.name);
    layers.apply(*choice.config);
    attachment = attach(sentences_of(choice, model_->config().layers), model_->sites(), {});
    fill();
    read_batch();
  }

  Model& model() { return *model_; }
  bool padded() const { return golden.json.at("right_padded").get<bool>(); }
  bool balanced() const { return golden.json.at("molex").at("balance").get<bool>(); }
  double tolerance(const char* name) const { return golden.json.at("tolerances").at(name); }
  int64_t layers() const { return model_->config().layers; }
  std::vector<int64_t> mixed() const { return golden.json.at("molex").at("mixed_layers"); }

  ForwardContext context() {
    ForwardContext out(Phase::train, 0, 0, alone_);
    out.measures = attachment->measures;
    return out;
  }

  void force(ForwardContext& c, const Tensor& choice) const {
    const auto positions = mixed();
    for (size_t i = 0; i < positions.size(); ++i)
      c.stand("molex", {.position = positions[i], .block = positions[i]},
              {{choice[static_cast<int64_t>(i)].item<int64_t>()}});
  }

  Outcome forward(ForwardContext& c) {
    Outcome out;
    out.logits = model_->logits(batch, c);
    out.task = model_->labels() == 1
                   ? at::mse_loss(out.logits.view({-1}), tensors.get("labels").to(at::kFloat))
                   : at::cross_entropy_loss(out.logits, tensors.get("labels").to(at::kLong));
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
  std::unique_ptr<Attachment> attachment;
  PackedBatch batch;

 private:
  std::unique_ptr<Model> build() {
    const int64_t labels = golden.json.at("config").at("num_labels");
    if (is_minilm(golden)) {
      const bool pooled = golden.json.at("head").get<std::string>().starts_with("pooler");
      ModelConfig config = read_model_config(minilm_folder());
      config.hidden_dropout = config.attention_dropout = 0;
      auto model =
          make_model(config, pooled ? HeadKind::pooled : HeadKind::dense, labels, at::kFloat);
      fill_from(*model, read_model_tensors(minilm_folder()), "bert.");
      return model;
    }
    const ModelConfig config = config_of(golden);
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
    const std::string type = golden.json.at("model_type");
    NamedTensors all = tensors.all();
    if (golden.json.contains("weights_file"))
      for (const auto& entry :
           read_tensors(golden.folder / golden.json.at("weights_file").get<std::string>()))
        all.push_back(entry);
    fill_from(*model_, all, "");
    for (const auto& [name, view] : attachment->state()) {
      bool filled = false;
      for (const auto& [theirs, tensor] : all)
        if (our_name(theirs, type) == name) {
          view.copy_(tensor);
          filled = true;
          break;
        }
      EXPECT_TRUE(filled) << "the case has no " << name;
    }
  }

  void read_batch() {
    const Tensor ids = tensors.get("input_ids"), mask = tensors.get("attention_mask");
    std::vector<SequenceData> sequences;
    for (int64_t s = 0; s < ids.size(0); ++s) {
      SequenceData one;
      const int64_t length = mask[s].sum().item<int64_t>();
      for (int64_t n = 0; n < length; ++n) {
        one.ids.push_back(static_cast<int32_t>(ids[s][n].item<int64_t>()));
        if (tensors.has("token_type_ids"))
          one.types.push_back(
              static_cast<int32_t>(tensors.get("token_type_ids")[s][n].item<int64_t>()));
      }
      sequences.push_back(one);
    }
    batch = packed(sequences);
  }

  std::unique_ptr<Model> model_;
  Reducer alone_;
  Tensor first_, second_;
};

// Our own vote over real tokens on the recorded probabilities.
void check_votes(Runner& r) {
  const auto positions = r.mixed();
  const char* key = r.padded() ? "choice_if_padding_did_not_vote" : "choice";
  for (size_t i = 0; i < positions.size(); ++i) {
    const Tensor p = r.tensors.get("out.gate_probs." + std::to_string(positions[i]));
    const Tensor counts = at::bincount(r.real(p).argmax(1), {}, r.layers());
    EXPECT_EQ(counts.argmax().item<int64_t>(), r.golden.json.at(key)[i].get<int64_t>()) << i;
    if (!r.padded()) r.tensors.expect_equal(counts, r.tensors.get("out.votes")[i], "votes");
  }
}

void check_forward(Runner& r) {
  ForwardContext c = r.context();
  RoutingRecord record;
  record.keeps_probabilities = true;
  c.record = &record;
  if (r.padded()) r.force(c, r.tensors.get("out.choice"));
  std::vector<Tensor> hidden;
  r.model().sites().stack->hidden_states = &hidden;
  r.model().last_hidden_state(r.batch, c);
  r.model().sites().stack->hidden_states = nullptr;
  for (size_t t = 0; t < hidden.size(); ++t) {
    const std::string number = std::to_string(t);
    if (r.tensors.has("out.hidden." + number))
      r.tensors.expect_near(hidden[t], r.real(r.tensors.get("out.hidden." + number)),
                            r.tolerance("hidden_abs"), "hidden " + number);
    if (r.tensors.has("out.hidden_first_token." + number))
      r.tensors.expect_near(hidden[t].index_select(0, first_rows(r.batch.rows).index),
                            r.tensors.get("out.hidden_first_token." + number),
                            r.tolerance("hidden_abs"), "first token " + number);
  }
  for (const int64_t t : r.mixed()) {
    const Tensor expected = r.tensors.get("out.gate_probs." + std::to_string(t));
    r.tensors.expect_near(record.probabilities.at(t), r.real(expected), r.tolerance("hidden_abs"),
                          "probabilities");
  }
  const auto positions = r.mixed();
  for (size_t i = 0; i < positions.size(); ++i) {
    const Tensor row = record.choices[positions[i]];
    EXPECT_EQ(row.sum().item<int64_t>(), 1);
    r.tensors.expect_equal(row.argmax(), r.tensors.get("out.choice")[static_cast<int64_t>(i)],
                           "choice");
  }
}

void check_losses_and_gradients(Runner& r) {
  ForwardContext c = r.context();
  if (r.padded()) r.force(c, r.tensors.get("out.choice"));
  const Outcome out = r.forward(c);
  const double loss = r.tolerance("loss_abs");
  r.tensors.expect_near(out.logits, r.tensors.get("out.logits").view(out.logits.sizes()),
                        r.tolerance("logits_abs"), "logits");
  r.tensors.expect_near(out.task.detach(), r.tensors.get("out.task_loss"), loss, "task loss");
  if (r.padded() && r.balanced()) return;  // its P averages over padding
  r.tensors.expect_near(out.balance.detach(), r.tensors.get("out.balance_loss"), loss,
                        "balance loss");
  r.tensors.expect_near(out.total.detach(), r.tensors.get("out.total_loss"), loss, "total loss");
  r.attachment->trainables.zero_gradients();
  out.total.backward();
  const std::string type = r.golden.json.at("model_type");
  std::set<std::string> compared;
  for (const auto& [name, expected] : r.tensors.all()) {
    if (!name.starts_with("grad.")) continue;
    const Segment* segment = r.attachment->trainables.find(our_name(name.substr(5), type));
    ASSERT_NE(segment, nullptr) << name;
    compared.insert(segment->name);
    r.tensors.expect_relative(r.attachment->trainables.gradient_of(*segment), expected,
                              r.tolerance("grad_rel_max"), name);
  }
  // What has no recorded gradient has none here (cases that store all of them).
  if (r.golden.json.at("gradients_stored") != "all trainable") return;
  for (const Segment& s : r.attachment->trainables.segments())
    EXPECT_TRUE(compared.contains(s.name)) << s.name << " trains here but not in the reference";
}

void check_trajectory(Runner& r) {
  const Tensor expected = r.tensors.get("traj.torch.task");
  const Tensor choices = r.tensors.get("traj.torch.choice");
  for (int64_t step = 0; step < expected.size(0); ++step) {
    ForwardContext c = r.context();
    RoutingRecord record;
    c.record = &record;
    if (r.padded()) r.force(c, choices[step]);
    const Outcome out = r.forward(c);
    const std::string at_step = " at step " + std::to_string(step);
    r.tensors.expect_near(out.task.detach(), expected[step], r.tolerance("trajectory_abs"),
                          "task" + at_step);
    if (!r.padded() || !r.balanced()) {
      r.tensors.expect_near(out.balance.detach(), r.tensors.get("traj.torch.balance")[step],
                            r.tolerance("trajectory_abs"), "balance" + at_step);
      r.tensors.expect_near(out.total.detach(), r.tensors.get("traj.torch.total")[step],
                            r.tolerance("trajectory_abs"), "total" + at_step);
    }
    const auto positions = r.mixed();
    for (size_t i = 0; i < positions.size(); ++i)
      EXPECT_EQ(record.choices[positions[i]].argmax().item<int64_t>(),
                choices[step][static_cast<int64_t>(i)].item<int64_t>())
          << "position " << positions[i] << at_step;
    r.attachment->trainables.zero_gradients();
    out.total.backward();
    r.adamw_step(step + 1);
  }
}

// The same pairs each in a batch of its own are what sequence votes must give in one batch.
void check_sequence_votes(const GoldenCase& one, Runner& counted) {
  Runner r(one, "sequence");
  ForwardContext c(Phase::evaluate, 0, 0, *std::make_unique<Reducer>());
  c.measures = r.attachment->measures;
  std::vector<std::vector<int64_t>> choices;
  const Tensor logits = r.model().logits(r.batch, c);
  counted.tensors.expect_near(logits, r.tensors.get("single.logits"), r.tolerance("logits_abs"),
                              "single");
  for (const int64_t t : r.mixed()) {
    const Decision& d = c.route("molex", {.position = t, .block = t}, [] { return Decision{}; });
    counted.tensors.expect_equal(at::tensor(d.choice, at::kLong),
                                 r.tensors.get("single.choice").select(1, t), "single choice");
  }
}

bool cannot_be_matched(const GoldenCase& one) {
  const Json& m = one.json.at("molex");
  return one.json.at("right_padded").get<bool>() && m.value("cosine_norm_axis", "") == "sequence";
}

TEST(MolexGolden, EveryCaseOfKind_golden_molex) {
  at::set_num_threads(1);  // as the goldens were made
  const auto cases = golden_cases("molex");
  if (cases.empty()) GTEST_SKIP() << "no golden case of kind molex is here";
  GoldenTally tally("molex");
  for (const GoldenCase& one : cases) {
    SCOPED_TRACE(one.folder.string());
    if (is_pending(one)) {
      tally.pending(one);
      continue;
    }
    if (cannot_be_matched(one)) {
      tally.skipped(one, "a cosine gate normalised over the sequence axis sees padding");
    } else if (is_minilm(one) && !fs::exists(minilm_folder())) {
      tally.skipped(one, "the MiniLM model is not here (make model)");
    } else {
      Runner r(one, "batch");
      check_votes(r);
      check_forward(r);
      check_losses_and_gradients(r);
      if (!r.padded() || !r.balanced()) check_trajectory(r);
      if (r.tensors.has("single.logits")) check_sequence_votes(one, r);
      tally.checked(one, r.tensors.values());
    }
  }
}

}  // namespace
}  // namespace molt::test
