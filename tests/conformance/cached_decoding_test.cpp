// Every registered method on every decoder: logits of token-by-token generation with a cache equal
// those of one forward pass over the whole sequences.
#include "models/generation_state.h"
#include "models/packed_weights.h"
#include "support/tiny_model.h"

namespace mixtune::test {
namespace {

using Texts = std::vector<std::vector<int32_t>>;

const Texts kWhole = {{5, 6, 7, 20, 21, 22, 23, 24, 25},
                      {9, 30, 31, 32, 33, 34, 35},
                      {4, 8, 15, 16, 23, 3, 11, 12, 13, 14, 17}};
const std::vector<int64_t> kPrompts = {3, 1, 5};  // tokens at the start of each
constexpr int64_t kSteps = 6;

struct CachedCase {
  std::string name, method, yaml;
};

std::vector<CachedCase> cases() {
  std::vector<CachedCase> out;
  for (const std::string& method : methods().names()) out.push_back({method, method, ""});
  for (const std::string& inner : inner_method_choices().names())
    out.push_back({"molex over " + inner, "molex", "over: {name: " + inner + "}\n"});
  out.push_back({"molex over nothing", "molex", "over: null\n"});
  out.push_back({"molex, all options", "molex",
                 "gate: {kind: cosine, projection: 4, sharing: per_layer, gradient: probability}\n"
                 "alpha: {kind: learned}\nreduce: mean\n"});
  const std::string pooled =
      "scope: {level: prompt, prompt_tokens: 2}\ntarget_modules: [all-linear]\n";
  out.push_back({"mixture, pooled by prompt", "mixture", pooled});
  out.push_back({"mixture, probabilities of prompts", "mixture",
                 "scope: {level: prompt, pool: probabilities}\ntarget_modules: [query, ffn_up]\n"});
  out.push_back({"mixture, pooled by prompt, cosine", "mixture",
                 pooled + "gate: {name: cosine, projection: 4}\n"});
  out.push_back(
      {"mixture of feed-forwards, pooled by prompt", "mixture",
       "site: feed_forward\nscope: {level: prompt, pool: probabilities}\nselection: all\n"});
  out.push_back({"molex over a mixture, pooled by prompt", "molex",
                 "over: {name: mixture, scope: {level: prompt}}\n"});
  out.push_back({"lora everywhere", "lora", "target_modules: [all-linear]\n"});
  return out;
}

// A generating model with a method whose trained tensors are not zero.
struct Writer {
  Writer(const std::string& type, const CachedCase& one, at::ScalarType kind)
      : model(tiny_model(tiny_config(type, 3), kind, HeadKind::language)),
        attachment(attach_method(model->sites(), one.method, one.yaml, {}, true)) {
    perturb(attachment->trainables);
  }
  ForwardContext context() {
    ForwardContext out(Phase::evaluate, 7, 0, alone);
    out.loss_statistics = attachment->loss_statistics;
    return out;
  }
  Tensor whole(ForwardContext& c) {
    const at::NoGradGuard no_grad;
    PackedBatch batch = pack_sequences(kWhole);
    batch.rows.prompt = kPrompts;
    return model->logits(batch, c);  // [T, V]
  }
  // The logits after the prompts, then after each further token: [S, V] each.
  std::vector<Tensor> grown(ForwardContext& c) {
    Texts prompts;
    std::vector<int64_t> all;
    for (size_t i = 0; i < kWhole.size(); ++i) {
      prompts.push_back({kWhole[i].begin(), kWhole[i].begin() + kPrompts[i]});
      all.push_back(static_cast<int64_t>(i));
    }
    auto& decoder = dynamic_cast<DecoderModel&>(*model);
    const PackedWeights packed(decoder, int64_t{1} << 30);  // as in `mixtune generate`
    GenerationState generation(decoder, c, Decoding::cached, 24);
    std::vector<Tensor> out = {generation.start(prompts)};
    for (int64_t n = 0; n < kSteps; ++n) {
      std::vector<int32_t> next;
      for (size_t i = 0; i < kWhole.size(); ++i)
        next.push_back(kWhole[i][static_cast<size_t>(kPrompts[i] + n)]);
      out.push_back(generation.step(all, next));
    }
    return out;
  }

  std::unique_ptr<Model> model;
  std::unique_ptr<Attachment> attachment;
  Reducer alone;
};

class CachedDecoding : public testing::TestWithParam<std::string> {};

std::vector<std::string> decoders() {
  std::vector<std::string> out;
  for (const std::string& type : supported_model_types())
    if (tiny_config(type).decoder) out.push_back(type);
  return out;
}

INSTANTIATE_TEST_SUITE_P(EveryMethod, CachedDecoding, testing::ValuesIn(decoders()),
                         [](const auto& info) { return info.param; });

TEST_P(CachedDecoding, LogitsEqualThoseOfTheFullForwardPass) {
  const SequenceLayout rows = pack_sequences(kWhole).rows;
  const auto expect_close = [&](const std::vector<Tensor>& steps, const Tensor& expected,
                                double tolerance) {
    for (int64_t n = 0; n <= kSteps; ++n)
      for (int64_t i = 0; i < rows.sequences(); ++i)
        EXPECT_CLOSE(steps[static_cast<size_t>(n)][i],
                     expected[rows.offsets[i] + kPrompts[i] - 1 + n], tolerance)
            << "text " << i << ", step " << n;
  };
  for (const CachedCase& one : cases()) {
    SCOPED_TRACE(one.name);
    std::vector<Tensor> whole;
    for (const at::ScalarType kind : {at::kDouble, at::kFloat}) {
      SCOPED_TRACE(toString(kind));
      Writer run(GetParam(), one, kind);
      ForwardContext growing = run.context(), full = run.context();
      const std::vector<Tensor> steps = run.grown(growing);
      whole.push_back(run.whole(full));
      // A router that is steep at a token amplifies float rounding, so the full pass itself differs
      // from the exact one by as much. Such cases are named.
      const double rounding = largest_difference(whole.back(), whole.front());
      // Generation rounds its logits to float in both cases.
      const double usual =
          kind == at::kDouble ? float_rounding(whole.back(), 1) : 1e-4 * size_of(whole.back());
      const double allowed = kind == at::kDouble ? usual : std::max(usual, 4 * rounding);
      if (allowed > usual)
        std::printf("cached decoding in float: %s, %s within %.1e\n", GetParam().c_str(),
                    one.name.c_str(), allowed);
      expect_close(steps, whole.back(), allowed);
    }
  }
}

}  // namespace
}  // namespace mixtune::test
