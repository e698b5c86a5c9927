// MoLEx in generation: caches belong to call paths and the prompt's decision is pinned, so decoding
// equals the full forward pass with the same decision. Then golden kind `molex_decoding`.
#include <ATen/record_function.h>

#include "models/generate.h"
#include "support/molex_golden.h"
#include "support/tiny_model.h"

namespace mixtune::test {
namespace {

using Prompts = std::vector<std::vector<int32_t>>;

// In double precision, so that only the logits' rounding to float remains.
struct GenerationModel {
  GenerationModel(const std::string& type, const std::string& yaml)
      : model(tiny_model(tiny_config(type), at::kDouble, HeadKind::language)),
        attachment(attach_method(model->sites(), "molex", yaml, {}, true)) {
    perturb(attachment->trainables, 0.5);
  }
  ForwardContext context() {
    ForwardContext out(Phase::evaluate, 7, 0, alone);
    out.loss_statistics = attachment->loss_statistics;
    return out;
  }
  // The logits after every token of whole sequences.
  Tensor full(const Prompts& texts, const std::vector<int64_t>& prompts, ForwardContext& c) {
    const at::NoGradGuard no_grad;
    PackedBatch batch = pack_sequences(texts);
    batch.rows.prompt = prompts;
    return model->logits(batch, c);
  }
  DecoderModel& decoder() { return dynamic_cast<DecoderModel&>(*model); }

  std::unique_ptr<Model> model;
  std::unique_ptr<Attachment> attachment;
  Reducer alone;
};

const Prompts kTexts = {{5, 6, 7, 20, 21, 22, 23, 24, 25},
                        {9, 30, 31, 32, 33, 34, 35},
                        {4, 8, 15, 16, 23, 3, 11, 12, 13, 14, 17}};
const std::vector<int64_t> kPrompts = {3, 1, 5};
constexpr int64_t kSteps = 6;

class MolexDecoding : public testing::TestWithParam<std::string> {};

INSTANTIATE_TEST_SUITE_P(Decoders, MolexDecoding,
                         testing::Values("gpt2", "llama", "mistral", "qwen3", "gemma2"),
                         [](const auto& info) { return info.param; });

TEST_P(MolexDecoding, EqualsTheFullForwardPassWithThePromptsDecision) {
  for (const std::string yaml :
       {"gate: {sharing: per_layer}", "reduce: mean\nlayers_to_transform: '[0, 2]'", "scope: batch",
        "gate: {sharing: per_layer, gradient: probability}\nalpha: {kind: learned}"}) {
    SCOPED_TRACE(yaml);
    GenerationModel run(GetParam(), yaml);
    ForwardContext whole = run.context(), growing = run.context();
    Prompts prompts;
    for (size_t i = 0; i < kTexts.size(); ++i)
      prompts.push_back({kTexts[i].begin(), kTexts[i].begin() + kPrompts[i]});
    GenerationState generation(run.decoder(), growing, Decoding::cached, 24);
    std::vector<Tensor> steps = {generation.start(prompts)};
    for (int64_t n = 0; n < kSteps; ++n) {
      std::vector<int32_t> next;
      for (size_t i = 0; i < kTexts.size(); ++i) next.push_back(kTexts[i][kPrompts[i] + n]);
      steps.push_back(generation.step({0, 1, 2}, next));
    }
    // The batch's decision is that of the prompts here, before any token is generated.
    if (yaml.find("batch") != std::string::npos)
      for (int64_t t = 0; t < 4; ++t) whole.pin("molex", own_path(t), {decision(growing, t)});
    const Tensor expected = run.full(kTexts, kPrompts, whole);
    std::vector<int64_t> chosen;
    for (int64_t t = 0; t < 4; ++t) {
      EXPECT_EQ(decision(growing, t), decision(whole, t));
      for (const int64_t j : decision(growing, t)) chosen.push_back(j);
    }
    const SequenceLayout rows = pack_sequences(kTexts).rows;
    for (int64_t n = 0; n <= kSteps; ++n)
      for (int64_t i = 0; i < 3; ++i)
        EXPECT_CLOSE(steps[n][i], expected[rows.offsets[i] + kPrompts[i] - 1 + n],
                     float_rounding(expected, 1))
            << "text " << i << ", step " << n;
  }
}

TEST_P(MolexDecoding, FollowsSequencesThatAreDroppedAndDuplicated) {
  GenerationModel run(GetParam(), "gate: {sharing: per_layer}");
  ForwardContext growing = run.context();
  GenerationState generation(run.decoder(), growing, Decoding::cached, 24);
  generation.start({{5, 6, 7}, {9, 12}, {4, 8, 15, 16}});
  generation.step({2, 0, 2}, {20, 21, 22});
  const Tensor last = generation.step({1, 2, 2}, {23, 24, 25});
  const Prompts expected = {{5, 6, 7, 21, 23}, {4, 8, 15, 16, 22, 24}, {4, 8, 15, 16, 22, 25}};
  ForwardContext whole = run.context();
  const Tensor full = run.full(expected, {3, 4, 4}, whole);
  const SequenceLayout rows = pack_sequences(expected).rows;
  for (int64_t i = 0; i < 3; ++i) {
    EXPECT_EQ(generation.ids(i), expected[i]);
    EXPECT_CLOSE(last[i], full[rows.offsets[i + 1] - 1], float_rounding(full, 1)) << i;
  }
}

// Random choices in place of a gate depend on the sequence id, not on the place in the batch.
TEST_P(MolexDecoding, RandomChoicesDependOnTheSequenceId) {
  GenerationModel run(GetParam(), "control: uniform\nalpha: {main: 0.5, other: 0.5}");
  const Prompts prompts = {{5, 6, 7}, {9, 12}, {4, 8, 15, 16}, {11, 3}};
  const auto write = [&](const Prompts& some, std::vector<int64_t> sequence_ids,
                         Decoding decoding) {
    ForwardContext context = run.context();
    const auto texts = generate(*run.model, some,
                                {.max_new_tokens = 8,
                                 .num_beams = 2,
                                 .sequence_ids = std::move(sequence_ids),
                                 .decoding = decoding},
                                context);
    std::vector<std::vector<int32_t>> out;
    for (const auto& of_prompt : texts) out.push_back(of_prompt.front().ids);
    return out;
  };
  for (const Decoding decoding : {Decoding::cached, Decoding::recompute, Decoding::averaged}) {
    const auto together = write(prompts, {}, decoding);
    EXPECT_EQ(write(prompts, {0, 1, 2, 3}, decoding), together);
    for (size_t i = 0; i < prompts.size(); ++i)
      EXPECT_EQ(write({prompts[i]}, {static_cast<int64_t>(i)}, decoding).front(), together[i]);
  }
  // Other ids give other choices, so some sequence differs.
  EXPECT_NE(write(prompts, {10, 11, 12, 13}, Decoding::cached),
            write(prompts, {}, Decoding::cached));
}

// Counts the calls of the gate.
TEST_P(MolexDecoding, RunsTheGateOnlyForThePrompt) {
  GenerationModel run(GetParam(), "gate: {sharing: per_layer, gradient: straight_through}");
  ForwardContext growing = run.context();
  GenerationState generation(run.decoder(), growing, Decoding::cached, 24);
  static int64_t argmaxes;
  argmaxes = 0;
  const auto handle = at::addThreadLocalCallback(
      at::RecordFunctionCallback([](const at::RecordFunction& f)
                                     -> std::unique_ptr<at::ObserverContext> {
        argmaxes += std::string_view(f.name()) == "aten::argmax";
        return nullptr;
      }).scopes({at::RecordScope::FUNCTION}));
  generation.start({{5, 6, 7}, {9, 12}});
  const int64_t of_prompts = argmaxes;
  generation.step({0, 1}, {20, 21});
  generation.step({1, 0}, {22, 23});
  const int64_t after = argmaxes;
  at::removeCallback(handle);
  EXPECT_EQ(of_prompts, 4);  // one decision at each position
  EXPECT_EQ(after, of_prompts);
}

// Decodes the sequences from their prompts: logits after these and after each further token.
std::vector<Tensor> generated_texts(GenerationModel& run, Decoding decoding) {
  ForwardContext context = run.context();
  GenerationState generation(run.decoder(), context, decoding, 24);
  Prompts prompts;
  for (size_t i = 0; i < kTexts.size(); ++i)
    prompts.push_back({kTexts[i].begin(), kTexts[i].begin() + kPrompts[i]});
  std::vector<Tensor> out = {generation.start(prompts)};
  for (int64_t n = 0; n < kSteps; ++n) {
    std::vector<int32_t> next;
    for (size_t i = 0; i < kTexts.size(); ++i) next.push_back(kTexts[i][kPrompts[i] + n]);
    out.push_back(generation.step({0, 1, 2}, next));
  }
  return out;
}

// With an averaged cache a layer that selects itself is mixed with itself, including its keys and
// values; its second run is not skipped.
TEST_P(MolexDecoding, AveragesTheCacheOfALayerThatSelectsItself) {
  const auto expect_close = [](const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
    for (size_t n = 0; n < a.size(); ++n)
      EXPECT_CLOSE(a[n], b[n], float_rounding(b[n], 1)) << "step " << n;
  };
  // `uniform`: some sequences of a batch select the layer itself, some another one.
  for (const std::string control : {"self", "uniform"}) {
    SCOPED_TRACE(control);
    const std::string yaml = "scope: prompt\nalpha: {main: 0.6, other: 0.4}\ncontrol: " + control;
    GenerationModel ours(GetParam(), yaml), reference(GetParam(), yaml + "\ncompat: reference");
    const auto mixed = generated_texts(ours, Decoding::averaged);
    expect_close(mixed, generated_texts(reference, Decoding::averaged));
    if (control == "self") expect_close(mixed, generated_texts(ours, Decoding::cached));
  }
  // A gate that always selects layer 2.
  const std::string yaml = "scope: batch\nalpha: {main: 0.6, other: 0.4}";
  GenerationModel ours(GetParam(), yaml), reference(GetParam(), yaml + "\ncompat: reference");
  for (GenerationModel* run : {&ours, &reference})
    for (const auto& [name, tensor] : run->attachment->state()) {
      const at::NoGradGuard no_grad;
      if (name == "molex.gate.weight") tensor.zero_();
      if (name == "molex.gate.bias") tensor.zero_()[2].fill_(5);
    }
  expect_close(generated_texts(ours, Decoding::averaged),
               generated_texts(reference, Decoding::averaged));
}

// The first tokens of every sequence.
PackedBatch starts(const MolexRunner& r, int64_t length) {
  std::vector<SequenceData> out;
  for (int64_t s = 0; s < r.batch.rows.sequences(); ++s) {
    SequenceData one;
    for (int64_t n = 0; n < length; ++n)
      one.ids.push_back(
          static_cast<int32_t>(r.batch.ids[r.batch.rows.offsets[s] + n].item<int64_t>()));
    out.push_back(one);
  }
  return packed(out);
}

void check_choice(MolexRunner& r, ForwardContext& c, const Tensor& expected) {
  std::vector<int64_t> choices;
  for (int64_t t = 0; t < expected.numel(); ++t) choices.push_back(decision(c, t).at(0));
  r.tensors.expect_equal(at::tensor(choices, at::kLong), expected, "choice");
}

// The logits after the first `length` tokens of every sequence, with the decision of these: [B, V].
Tensor behind_prefix(MolexRunner& r, int64_t length, ForwardContext& c) {
  const Tensor logits = r.model().logits(starts(r, length), c);  // [B * length, V]
  return logits.view({-1, length, logits.size(1)}).select(1, length - 1);
}

void check_prefixes(MolexRunner& r) {
  const double tolerance = r.tolerance("logits_abs");
  const int64_t prompt = r.golden.json.at("prompt_length"), length = r.golden.json.at("length");
  ForwardContext all = r.context();
  r.tensors.expect_near(r.model().logits(r.batch, all).view({-1, length, r.model().labels()}),
                        r.tensors.get("full.logits"), tolerance, "full");
  check_choice(r, all, r.tensors.get("full.choice"));
  for (int64_t s = 0; s + prompt <= length; ++s) {
    ForwardContext c = r.context();
    r.tensors.expect_near(behind_prefix(r, prompt + s, c),
                          r.tensors.get("prefix.logits").select(1, s), tolerance,
                          "prefix " + std::to_string(s));
    check_choice(r, c, r.tensors.get("prefix.choice")[s]);
  }
}

// Decodes the sequences of a case from their prompts: logits after each token, [B, T - P + 1, V],
// and the choices at each step.
struct Grown {
  Tensor logits, choices;
};

// The keys and values of every layer after the prompt, in the layout of the reference:
// [2, B, heads, P, head width].
void check_cache(MolexRunner& r, const KeyValueCache& state) {
  const int64_t heads = r.model().config().heads, sequences = r.batch.rows.sequences();
  for (int64_t t = 0; t < r.layers(); ++t) {
    std::vector<Tensor> texts;
    for (int64_t s = 0; s < sequences; ++s) texts.push_back(state.of(own_path(t), s));  // [P, 2 D]
    const Tensor all = at::stack(texts);  // [B, P, 2 D]
    const Tensor parts = all.view({sequences, all.size(1), 2, heads, -1}).permute({2, 0, 3, 1, 4});
    const std::string name = "cached.present_after_prompt." + std::to_string(t);
    r.tensors.expect_near(parts, r.tensors.get(name), r.tolerance("logits_abs"), name);
  }
}

Grown grow(MolexRunner& r, Decoding decoding,
           const std::function<void(const KeyValueCache&)>& after_prompt = {}) {
  const int64_t prompt = r.golden.json.at("prompt_length"), length = r.golden.json.at("length");
  Reducer alone;
  ForwardContext context(Phase::evaluate, 0, 0, alone);
  context.loss_statistics = r.attachment->loss_statistics;
  GenerationState generation(dynamic_cast<DecoderModel&>(r.model()), context, decoding, length);
  const Tensor ids = r.tensors.get("input_ids");
  Prompts prompts(static_cast<size_t>(ids.size(0)));
  std::vector<int64_t> same;
  for (int64_t s = 0; s < ids.size(0); ++s) {
    same.push_back(s);
    for (int64_t n = 0; n < prompt; ++n)
      prompts[s].push_back(static_cast<int32_t>(ids[s][n].item<int64_t>()));
  }
  const int64_t positions = r.tensors.get("cached.choice").size(1);  // mixed ones, from 0
  std::vector<Tensor> logits, choices;
  const auto look = [&](const Tensor& next) {
    logits.push_back(next);
    std::vector<int64_t> chosen;
    for (int64_t t = 0; t < positions; ++t) chosen.push_back(decision(context, t).at(0));
    choices.push_back(at::tensor(chosen, at::kLong));
  };
  look(generation.start(prompts));
  if (after_prompt) after_prompt(*context.decode);
  for (int64_t n = prompt; n < length; ++n) {
    std::vector<int32_t> next;
    for (int64_t s = 0; s < ids.size(0); ++s)
      next.push_back(static_cast<int32_t>(ids[s][n].item<int64_t>()));
    look(generation.step(same, next));
  }
  return {at::stack(logits, 1), at::stack(choices)};
}

// The cache of the authors' code: the mean of two layers' keys and values, a decision at each step.
void check_reference(MolexRunner& r) {
  const Grown grown =
      grow(r, Decoding::averaged, [&](const KeyValueCache& state) { check_cache(r, state); });
  r.tensors.expect_near(grown.logits, r.tensors.get("cached.logits"), r.tolerance("logits_abs"),
                        "cached");
  r.tensors.expect_equal(grown.choices, r.tensors.get("cached.choice"), "cached choice");
}

// A gate that always selects one layer: full forward pass, decoding with the exact cache and with
// the averaged cache.
void check_forced(MolexRunner& r) {
  const at::NoGradGuard no_grad;
  for (const auto& [name, tensor] : r.attachment->state()) {
    if (name == "molex.gate.weight") tensor.zero_();
    if (name == "molex.gate.bias") tensor.copy_(r.tensors.get("forced.gate.bias"));
  }
  const double tolerance = r.tolerance("logits_abs");
  const int64_t prompt = r.golden.json.at("prompt_length"), length = r.golden.json.at("length");
  const Tensor expected = r.tensors.get("forced.full.logits");  // [B, T, V]
  ForwardContext all = r.context();
  r.tensors.expect_near(r.model().logits(r.batch, all).view(expected.sizes()), expected, tolerance,
                        "forced");
  r.tensors.expect_near(grow(r, Decoding::cached).logits,
                        expected.narrow(1, prompt - 1, length - prompt + 1), tolerance,
                        "forced, exact cache");
  r.tensors.expect_near(grow(r, Decoding::averaged).logits, r.tensors.get("forced.cached.logits"),
                        tolerance, "forced, averaged cache");
}

// The distance of the averaged cache from the full pass with the decision of each prefix, at
// several blend weights: ours compared with the authors' code. These are figures of
// docs/generation.md.
long long check_mismatch(const GoldenCase& one) {
  const int64_t prompt = one.json.at("prompt_length"), length = one.json.at("length");
  long long values = 0;
  for (const auto& [name, recorded] : one.json.at("mismatch").items()) {
    GoldenCase weighted = one;
    Json& molex = weighted.json.at("molex");
    double own = molex.at("weight_main_init"), borrowed = molex.at("weight_other_init");
    const bool is_given = std::sscanf(name.c_str(), "main %lf, other %lf", &own, &borrowed) == 2;
    if (!is_given && !name.starts_with("as configured")) continue;  // a forced gate
    molex["weight_main_init"] = own;
    molex["weight_other_init"] = borrowed;
    MolexRunner r(weighted, "batch");
    std::vector<Tensor> full;
    for (int64_t n = prompt; n <= length; ++n) {
      ForwardContext c = r.context();
      full.push_back(behind_prefix(r, n, c));
    }
    const double ours = largest_difference(grow(r, Decoding::averaged).logits, at::stack(full, 1));
    const double theirs = recorded.at("cached_minus_prefix_max");
    r.tensors.expect_near(ours, theirs, 1e-3, name);
    std::printf("golden molex_decoding: averaged cache at %g and %g: logits up to %.4f off\n", own,
                borrowed, ours);
    values += r.tensors.values();
  }
  return values;
}

// beampath.* is left out: there, the authors' script pads the prompt with tokens that vote.
void check_molex_decoding(const GoldenCase& one, GoldenTally& tally) {
  const at::NoGradGuard no_grad;
  MolexRunner r(one, "batch");
  check_prefixes(r);
  check_reference(r);
  check_forced(r);
  tally.checked(one, r.tensors.values() + check_mismatch(one));
}

MIXTUNE_GOLDEN_CHECKER(molex_decoding, check_molex_decoding);

}  // namespace
}  // namespace mixtune::test
