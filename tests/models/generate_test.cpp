// Generation: the cache against recomputation on every decoder, stop tokens and lengths, sampling,
// then golden kind `decoding`.
#include "models/generate.h"

#include <gtest/gtest.h>

#include <cmath>

#include "models/packed_weights.h"
#include "support/golden_tensors.h"
#include "tensor/random.h"

namespace mixtune::test {
namespace {

using Prompts = std::vector<std::vector<int32_t>>;

ModelConfig decoder_config(const std::string& type) {
  ModelConfig c;
  c.model_type = type;
  c.vocab_size = 40;
  c.hidden_size = 16;
  c.layers = 3;
  c.heads = 2;
  c.intermediate_size = 24;
  c.max_positions = 24;
  c.hidden_dropout = c.attention_dropout = 0;
  c.layer_norm_epsilon = 1e-6;
  c.hidden_act = type == "gpt2" ? "gelu_new" : "silu";
  DecoderConfig d;
  d.head_width = 8;
  d.key_value_heads = type == "gpt2" ? 2 : 1;
  d.rotary.width = 8;
  d.tied = true;
  d.windows.assign(3, type == "mistral" ? 4 : 0);
  d.normalizes_heads = type == "qwen3";
  d.normalizes_outputs = type == "gemma2";
  if (type == "gemma2") d.attention_cap = d.logits_cap = 5;
  c.decoder = d;
  return c;
}

std::unique_ptr<Model> language_model(const ModelConfig& config,
                                      at::TensorOptions options = at::kFloat) {
  const at::NoGradGuard no_grad;
  auto model = make_model(config, HeadKind::language, 0, options);
  for (const WeightSlot& slot : model->sites().weights) {
    const Tensor view = slot.view();
    view.copy_(normal_tensor(view.sizes(), 0.4, derive(1, slot.name)));
    if (slot.kind == WeightKind::norm && slot.name.ends_with(".weight")) view.add_(1);
  }
  return model;
}

const Prompts kPrompts = {{5, 6, 7}, {9}, {4, 8, 15, 16, 23, 3}};

std::vector<std::vector<Generated>> generated(Model& model, const GenerateOptions& options,
                                              const Prompts& prompts = kPrompts) {
  Reducer alone;
  ForwardContext context(Phase::evaluate, 0, 0, alone);
  return generate(model, prompts, options, context);
}

void expect_same(const std::vector<std::vector<Generated>>& a,
                 const std::vector<std::vector<Generated>>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t p = 0; p < a.size(); ++p) {
    ASSERT_EQ(a[p].size(), b[p].size());
    for (size_t h = 0; h < a[p].size(); ++h) {
      EXPECT_EQ(a[p][h].ids, b[p][h].ids) << p << ", " << h;
      EXPECT_NEAR(a[p][h].log_probability, b[p][h].log_probability,
                  1e-4 * std::max(1.0, std::abs(b[p][h].log_probability)));
    }
  }
}

TEST(Generate, WithACacheEqualsRecomputationOnEveryDecoder) {
  for (const std::string& type : supported_model_types()) {
    if (type == "bert" || type == "roberta") continue;
    for (const at::ScalarType kind : {at::kFloat, at::kDouble})
      for (const int64_t beams : {1, 3}) {
        SCOPED_TRACE(type + ", beams " + std::to_string(beams));
        const auto model = language_model(decoder_config(type), kind);
        GenerateOptions options{.max_new_tokens = 12, .num_beams = beams};
        const auto cached = generated(*model, options);
        options.decoding = Decoding::recompute;
        expect_same(cached, generated(*model, options));
      }
  }
}

TEST(Generate, DoesNotDependOnTheOtherPromptsOfTheBatch) {
  const auto model = language_model(decoder_config("llama"));
  for (const int64_t beams : {1, 3}) {
    const GenerateOptions options{.max_new_tokens = 8, .num_beams = beams};
    const auto together = generated(*model, options);
    for (size_t p = 0; p < kPrompts.size(); ++p)
      expect_same({together[p]}, generated(*model, options, {kPrompts[p]}));
  }
}

TEST(Generate, WithPackedWeightsGeneratesTheSame) {
  for (const std::string type : {"gpt2", "llama"}) {
    ModelConfig config = decoder_config(type);
    config.decoder->tied = type == "gpt2";
    const auto model = language_model(config);
    auto& decoder = dynamic_cast<DecoderModel&>(*model);
    const GenerateOptions options{.max_new_tokens = 12, .num_beams = 3};
    const auto expected = generated(*model, options);
    const LinearGroup& group = *model->sites().groups.front();
    {
      const PackedWeights packed(decoder, 1 << 20);
      EXPECT_TRUE(group.packed);
      EXPECT_EQ(decoder.packed_words != nullptr, config.decoder->tied);
      EXPECT_EQ(decoder.head_group() != nullptr, !config.decoder->tied);
      expect_same(generated(*model, options), expected);
    }
    EXPECT_FALSE(group.packed || decoder.packed_words);
    const PackedWeights without_space(decoder, 100);
    EXPECT_FALSE(group.packed || decoder.packed_words);
  }
}

TEST(Generate, StopsAfterAStopTokenAndNotBefore) {
  const auto model = language_model(decoder_config("gpt2"));
  const auto free = generated(*model, {.max_new_tokens = 10});
  GenerateOptions options{.max_new_tokens = 10};
  options.rules.stops = {free[0][0].ids[3]};
  const auto stopped = generated(*model, options);
  for (size_t p = 0; p < free.size(); ++p) {
    const auto& ids = free[p][0].ids;
    const auto end = std::find(ids.begin(), ids.end(), options.rules.stops[0]);
    EXPECT_EQ(stopped[p][0].stopped, end != ids.end());
    EXPECT_EQ(stopped[p][0].ids,
              std::vector<int32_t>(ids.begin(), end == ids.end() ? end : end + 1));
  }
}

TEST(Generate, EndsWhereTheCallbackReturnsTrue) {
  const auto model = language_model(decoder_config("gpt2"));
  for (const int64_t beams : {1, 3}) {
    GenerateOptions options{.max_new_tokens = 10, .num_beams = beams};
    options.ends = [](size_t prompt, std::span<const int32_t> written) {
      return written.size() == prompt + 2;
    };
    const auto texts = generated(*model, options);
    for (size_t p = 0; p < texts.size(); ++p) {
      EXPECT_EQ(texts[p][0].ids.size(), p + 2);
      EXPECT_TRUE(texts[p][0].stopped);
    }
  }
}

// One of six tokens is a stop that is still forbidden, and no token may occur twice.
TEST(Generate, EndsATextIfAllTokensAreForbidden) {
  ModelConfig config = decoder_config("gpt2");
  config.vocab_size = 6;
  const auto model = language_model(config);
  GenerateOptions options{.max_new_tokens = 10};
  options.rules = {.no_repeat_ngram_size = 1, .min_new_tokens = 10, .stops = {0}};
  const auto check = [&](size_t count) {
    const auto texts = generated(*model, options, {{1, 2}, {1, 2, 3, 4, 5}});
    ASSERT_EQ(texts[0].size(), count);
    for (const Generated& text : texts[0]) {
      EXPECT_EQ(text.ids.size(), 3u);
      EXPECT_FALSE(text.stopped);
      EXPECT_TRUE(std::isfinite(text.log_probability) && std::isfinite(text.score));
    }
    ASSERT_EQ(texts[1].size(), 1u);
    EXPECT_TRUE(texts[1][0].ids.empty() && !texts[1][0].stopped);
    EXPECT_EQ(texts[1][0].score, 0);
  };
  check(1);
  options.sampling = SamplingFilters{.temperature = 2};
  options.streams = {1, 2};
  check(1);
  options.sampling.reset();
  options.num_beams = 3;
  check(3);
}

GenerateOptions sampling(const std::vector<RandomKey>& streams, int64_t tokens) {
  GenerateOptions out{.max_new_tokens = tokens};
  out.sampling = SamplingFilters{.temperature = 1.5};
  out.streams = streams;
  return out;
}

TEST(Generate, SamplesFromTheStreamOfThePromptOnly) {
  const auto model = language_model(decoder_config("llama"));
  const auto texts = generated(*model, sampling({1, 2, 3}, 8));
  expect_same({texts[2]}, generated(*model, sampling({3}, 8), {kPrompts[2]}));
  EXPECT_NE(texts[2][0].ids, generated(*model, sampling({4}, 8), {kPrompts[2]})[0][0].ids);
}

// Frequencies of 600 sampled first tokens of one prompt against their probabilities.
TEST(Generate, SamplesTokensWithTheirProbabilities) {
  const auto model = language_model(decoder_config("gpt2"));
  constexpr int64_t kSamples = 600;
  const Prompts prompts(kSamples, {5, 6, 7});
  std::vector<RandomKey> streams;
  for (int64_t n = 0; n < kSamples; ++n) streams.push_back(derive(9, static_cast<uint64_t>(n)));
  Tensor counts = at::zeros({40}, at::kDouble);
  for (const auto& texts : generated(*model, sampling(streams, 1), prompts))
    counts[texts[0].ids[0]] += 1.0 / kSamples;
  Reducer alone;
  ForwardContext context(Phase::evaluate, 0, 0, alone);
  GenerationState one(dynamic_cast<DecoderModel&>(*model), context, Decoding::cached, 4);
  const Tensor p = at::softmax(one.start({prompts[0]})[0].to(at::kDouble) / 1.5, 0);
  // Four standard deviations of each share.
  const Tensor excess = (counts - p).abs() - 4 * (p * (1 - p) / kSamples).sqrt();
  EXPECT_LE(excess.max().item<double>(), 1.0 / kSamples);
}

TEST(Generate, RejectsTooManyTokensEmptyPromptsAndEncoders) {
  const auto model = language_model(decoder_config("gpt2"));
  EXPECT_THROW(generated(*model, {.max_new_tokens = 24}), UserError);
  EXPECT_THROW(generated(*model, {.max_new_tokens = 2}, {{}}), UserError);
  EXPECT_TRUE(generated(*model, {.max_new_tokens = 2}, {}).empty());
  ModelConfig encoder;
  encoder.layers = 1;
  const auto reader = make_model(encoder, HeadKind::pooled, 2, at::kFloat);
  EXPECT_THROW(generated(*reader, {.max_new_tokens = 2}), UserError);
}

// The rotation of old keys depends on the length, so the sequences are recomputed in any case.
TEST(Generate, RecomputesIfRotaryPositionsChangeWithTheLength) {
  ModelConfig config = decoder_config("llama");
  config.decoder->rotary.kind = RotarySettings::Kind::dynamic;
  config.decoder->rotary.positions = 6;
  config.decoder->rotary.factor = 2;
  const auto model = language_model(config);
  GenerateOptions options{.max_new_tokens = 8};
  const auto cached = generated(*model, options);
  options.decoding = Decoding::recompute;
  expect_same(cached, generated(*model, options));
  options.decoding = Decoding::averaged;
  EXPECT_THROW(generated(*model, options), UserError);
}

GenerateOptions options_of(const GoldenCase& one, const Json& settings) {
  GenerateOptions out{.max_new_tokens = one.json.at("max_new_tokens"),
                      .num_beams = settings.value("num_beams", 1),
                      .length_penalty = settings.value("length_penalty", 1.0)};
  out.rules.repetition_penalty = settings.value("repetition_penalty", 1.0);
  out.rules.no_repeat_ngram_size = settings.value("no_repeat_ngram_size", 0);
  out.rules.min_new_tokens = settings.value("min_new_tokens", 0);
  const std::string eos = settings.value("eos", "one");
  if (eos != "none") out.rules.stops = {one.json.at("eos_token_id").get<int32_t>()};
  if (eos == "two") out.rules.stops.push_back(one.json.at("second_eos_token_id").get<int32_t>());
  if (settings.contains("early_stopping")) {
    const Json& early = settings.at("early_stopping");
    out.early_stopping = early.is_string()   ? GenerateOptions::EarlyStopping::never
                         : early.get<bool>() ? GenerateOptions::EarlyStopping::at_once
                                             : GenerateOptions::EarlyStopping::likely;
  }
  return out;
}

// Texts whose scores differ by less than the recorded gap may swap. Otherwise each of ours must
// equal theirs at the same index, with its score.
void check_texts(const std::vector<Generated>& ours, const Json& theirs, const GoldenCase& one,
                 long long& values) {
  const double tolerance = one.json.at("tolerances").at("score_rel");
  const double swap = one.json.at("tolerances").at("swap_below_gap");
  ASSERT_EQ(ours.size(), theirs.size());
  for (size_t h = 0; h < ours.size(); ++h) {
    const bool beams = theirs[h].contains("score");
    const auto expected = theirs[h].at("tokens").get<std::vector<int32_t>>();
    const double score =
        theirs[h].at(beams ? "score" : "sum_log_prob_of_processed_logits").get<double>();
    EXPECT_NEAR(ours[h].score, score, allowed_at(score, tolerance));
    EXPECT_EQ(ours[h].stopped, theirs[h].at("finished_by_eos").get<bool>()) << h;
    if (ours[h].ids != expected) {
      bool swapped = false;
      for (size_t other = 0; other < ours.size(); ++other)
        swapped |= ours[h].ids == theirs[other].at("tokens").get<std::vector<int32_t>>() &&
                   std::abs(theirs[other].at("score").get<double>() - score) < swap;
      EXPECT_TRUE(swapped) << "text " << h;
    }
    values += static_cast<long long>(expected.size()) + 1;
  }
}

void check_decoding(const GoldenCase& one, GoldenTally& tally) {
  const fs::path folder =
      one.json.contains("model") ? golden_path(one, one.json.at("model")) : one.folder;
  if (!fs::exists(folder)) return tally.skipped(one, folder.string() + " is not here");
  LoadOptions load;
  load.head = HeadKind::language;
  const LoadedModel loaded = load_model(folder, load);
  const Prompts prompts = one.json.at("prompts").get<Prompts>();
  long long values = 0;
  for (const auto& [name, variant] : one.json.at("variants").items()) {
    const auto texts = generated(*loaded.model, options_of(one, variant.at("settings")), prompts);
    for (size_t p = 0; p < prompts.size(); ++p) {
      SCOPED_TRACE(name + ", prompt " + std::to_string(p));
      check_texts(texts[p], variant.at("results").at(p), one, values);
    }
  }
  tally.checked(one, values);
}

MIXTUNE_GOLDEN_CHECKER(decoding, check_decoding);

}  // namespace
}  // namespace mixtune::test
