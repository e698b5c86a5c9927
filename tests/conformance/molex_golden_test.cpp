// Golden kind `molex`: results of the authors' MoLEx code. A sequence of an encoder's padded case
// consists of its real tokens: there the recorded choices are forced, and our own vote is computed
// from the recorded probabilities (tests of real tokens only).
#include <set>

#include "support/molex_golden.h"

namespace mixtune::test {
namespace {

// Our own vote over real tokens on the recorded probabilities.
void check_votes(MolexRunner& r) {
  const auto positions = r.mixed();
  const bool mean = !r.tensors.has("out.votes");
  const char* key = r.padded() ? "choice_if_padding_did_not_vote" : "choice";
  for (size_t i = 0; i < positions.size(); ++i) {
    const Tensor p = r.real(r.tensors.get("out.gate_probs." + std::to_string(positions[i])));
    const Tensor counts = mean ? p.mean(0) : at::bincount(p.argmax(1), {}, r.layers());
    EXPECT_EQ(counts.argmax().item<int64_t>(), r.golden.json.at(key)[i].get<int64_t>()) << i;
    if (!r.padded() && !mean)
      r.tensors.expect_equal(counts, r.tensors.get("out.votes")[i], "votes");
  }
}

void check_forward(MolexRunner& r) {
  ForwardContext c = r.context();
  RoutingRecord record;
  record.keeps_probabilities = true;
  c.record = &record;
  if (r.padded()) r.force(c, r.tensors.get("out.choice"));
  std::vector<Tensor> hidden;
  r.model().sites().stack->hidden_states = &hidden;
  // The reference's last hidden state is the input of GPT-2's final norm.
  if (r.decoder())
    r.model().logits(r.batch, c);
  else
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

void check_losses_and_gradients(MolexRunner& r) {
  ForwardContext c = r.context();
  if (r.padded()) r.force(c, r.tensors.get("out.choice"));
  const MolexOutcome out = r.forward(c);
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
  std::set<std::string> compared;
  for (const auto& [name, whole] : r.tensors.all()) {
    if (!name.starts_with("grad.")) continue;
    for (const auto& [ours, expected] : r.names.ours(name.substr(5), whole)) {
      const Segment* segment = r.attachment->trainables.find(ours);
      ASSERT_NE(segment, nullptr) << name;
      compared.insert(segment->name);
      r.tensors.expect_relative(r.attachment->trainables.gradient_of(*segment), expected,
                                r.tolerance("grad_rel_max"), name);
    }
  }
  // Tensors without a recorded gradient have none here (in cases that store all gradients).
  if (r.golden.json.at("gradients_stored") != "all trainable") return;
  for (const Segment& s : r.attachment->trainables.segments())
    EXPECT_TRUE(compared.contains(s.name)) << s.name << " trains here but not in the reference";
}

void check_trajectory(MolexRunner& r) {
  const Tensor expected = r.tensors.get("traj.torch.task");
  const Tensor choices = r.tensors.get("traj.torch.choice");
  for (int64_t step = 0; step < expected.size(0); ++step) {
    ForwardContext c = r.context();
    RoutingRecord record;
    c.record = &record;
    if (r.padded()) r.force(c, choices[step]);
    const MolexOutcome out = r.forward(c);
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

// GPT-2's padding votes because there is no mask. Without padding, the recorded probabilities of
// real tokens give the other choice, and so does the first mixed layer of a run (its input is the
// embedding; later layers depend on earlier choices).
void check_votes_without_padding(MolexRunner& r) {
  const Json& recorded = r.golden.json.at("choice_if_padding_did_not_vote");
  if (recorded.is_null()) return;
  const Tensor expected = long_tensor(recorded);
  const std::vector<int64_t> counts = r.golden.json.at("token_counts");
  const auto positions = r.mixed();
  for (size_t i = 0; i < positions.size(); ++i) {
    const Tensor padded = r.tensors.get("out.gate_probs." + std::to_string(positions[i]));
    std::vector<Tensor> real;
    for (size_t s = 0; s < counts.size(); ++s)
      real.push_back(padded[static_cast<int64_t>(s)].narrow(0, 0, counts[s]));
    r.tensors.expect_equal(at::bincount(at::cat(real).argmax(1), {}, r.layers()).argmax(),
                           expected[static_cast<int64_t>(i)], "votes of real tokens");
  }
  // A cosine over the sequence axis gives real tokens other scores without padding.
  if (r.golden.json.at("molex").value("cosine_norm_axis", "") == "sequence") return;
  ForwardContext c = r.context();
  r.model().logits(r.without_padding(), c);
  const Decision& first = c.route("molex", {.position = positions[0], .layer = positions[0]},
                                  [] { return Decision{}; });
  r.tensors.expect_equal(at::tensor(first.choice, at::kLong), expected.narrow(0, 0, 1),
                         "choice without padding");
}

// With a sequence scope, one batch must give the same results as a separate batch per pair.
void check_sequence_votes(const GoldenCase& one, MolexRunner& counted) {
  MolexRunner r(one, "sequence");
  Reducer alone;
  ForwardContext c(Phase::evaluate, 0, 0, alone);
  c.loss_statistics = r.attachment->loss_statistics;
  std::vector<std::vector<int64_t>> choices;
  const Tensor logits = r.model().logits(r.batch, c);
  counted.tensors.expect_near(logits, r.tensors.get("single.logits"), r.tolerance("logits_abs"),
                              "single");
  for (const int64_t t : r.mixed()) {
    const Decision& d = c.route("molex", {.position = t, .layer = t}, [] { return Decision{}; });
    counted.tensors.expect_equal(at::tensor(d.choice, at::kLong),
                                 r.tensors.get("single.choice").select(1, t), "single choice");
  }
}

bool cannot_be_matched(const GoldenCase& one) {
  const Json& m = one.json.at("molex");
  return one.json.at("model_type") != "gpt2" && one.json.at("right_padded").get<bool>() &&
         m.value("cosine_norm_axis", "") == "sequence";
}

void check_molex(const GoldenCase& one, GoldenTally& tally) {
  if (cannot_be_matched(one))
    return tally.skipped(one, "a cosine gate normalized over the sequence axis depends on padding");
  if (is_minilm(one) && !fs::exists(minilm_folder()))
    return tally.skipped(one, "the MiniLM model is not here (make model)");
  MolexRunner r(one, "batch");
  check_votes(r);
  check_forward(r);
  check_losses_and_gradients(r);
  if (!r.padded() || !r.balanced()) check_trajectory(r);
  if (r.decoder()) check_votes_without_padding(r);
  if (r.tensors.has("single.logits")) check_sequence_votes(one, r);
  tally.checked(one, r.tensors.values());
}

MIXTUNE_GOLDEN_CHECKER(molex, check_molex);

}  // namespace
}  // namespace mixtune::test
