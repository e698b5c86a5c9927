// Trained decoders against the numbers of an independent implementation. Each folder of
// MIXTUNE_DATA/models may have a reference.json with a text, its ids, the mean loss, the logits
// after the last token and the tokens of greedy search.
#include "models/generate.h"
#include "support/rounding.h"
#include "tiny_run.h"
#include "train/evaluate.h"
#include "train/predictor.h"

namespace mixtune {
namespace {

namespace fs = std::filesystem;
using test::Recorder;

struct Reference {
  fs::path folder;
  Json json;
  std::vector<int32_t> ids() const { return json.at("ids").get<std::vector<int32_t>>(); }
  double mean_loss() const { return json.at("mean_nll_per_token_after_bos").get<double>(); }
};

std::vector<Reference> references() {
  std::vector<Reference> out;
  const fs::path models = test::data_dir() / "models";
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(models, error)) {
    const fs::path file = entry.path() / "reference.json";
    if (!fs::exists(file, error)) continue;
    Reference one{entry.path(), read_json(file)};
    if (one.json.contains("mean_nll_per_token_after_bos")) out.push_back(std::move(one));
  }
  return out;
}

std::unique_ptr<Model> decoder(const Reference& reference) {
  LoadOptions options;
  options.head = HeadKind::language;
  return load_model(reference.folder, options).model;
}

PackedBatch alone(const std::vector<int32_t>& ids) {
  return pack({{ids.data(), nullptr, static_cast<int64_t>(ids.size()), 0}}, at::kCPU);
}

TEST(RealDecoder, HasTheLossAndTheLogitsOfAnotherImplementation) {
  const auto found = references();
  if (found.empty()) GTEST_SKIP() << "no reference.json below " << test::data_dir() / "models";
  const at::NoGradGuard no_grad;
  for (const Reference& reference : found) {
    SCOPED_TRACE(reference.folder);
    const auto model = decoder(reference);
    EncodedExample text{.ids = reference.ids()};
    text.supervised = {{1, static_cast<int64_t>(text.ids.size())}};
    Reducer reducer;
    ForwardContext context(Phase::evaluate, 0, 0, reducer);
    const auto objective = make_objective({.goal = Goal::next_token});
    const Tensor outputs = objective->outputs(*model, alone(text.ids), {&text}, context);
    EXPECT_NEAR(objective->mean_loss(outputs, {text}), reference.mean_loss(),
                1e-5 * std::max(1.0, reference.mean_loss()));

    ForwardContext again(Phase::evaluate, 0, 0, reducer);
    const Tensor logits = model->logits(alone(text.ids), again);  // [T, vocabulary]
    const auto last = reference.json.at("last_position_logits").get<std::vector<double>>();
    ASSERT_EQ(logits.size(1), static_cast<int64_t>(last.size()));
    const Tensor ours = logits[logits.size(0) - 1].to(at::kDouble);
    const Tensor expected = at::tensor(last, at::kDouble);
    EXPECT_LT((ours - expected).abs().max().item<double>(), 1e-4 * test::size_of(expected));
  }
}

TEST(RealDecoder, GeneratesTheSameTokensAsAnotherImplementation) {
  const auto found = references();
  if (found.empty()) GTEST_SKIP() << "no reference.json below " << test::data_dir() / "models";
  for (const Reference& reference : found) {
    SCOPED_TRACE(reference.folder);
    auto greedy = reference.json.at("greedy_from_bos_ids").get<std::vector<int32_t>>();
    ASSERT_GT(greedy.size(), 50u);
    const int32_t begin = greedy.front();
    greedy.erase(greedy.begin());
    const auto model = decoder(reference);
    Reducer reducer;
    ForwardContext context(Phase::evaluate, 0, 0, reducer);
    const std::vector<std::vector<int32_t>> prompts(1, {begin});
    const auto written =
        generate(*model, prompts, {.max_new_tokens = static_cast<int64_t>(greedy.size())}, context);
    EXPECT_EQ(written.at(0).at(0).ids, greedy);
  }
}

TEST(RealDecoder, ReadsATextFileAsTheSameTokens) {
  int compared = 0;
  for (const Reference& reference : references()) {
    SCOPED_TRACE(reference.folder);
    try {
      Tokenizer::load(reference.folder);
    } catch (const UserError&) {
      continue;  // the tokenizer is not supported
    }
    ++compared;
    const test::TemporaryFolder folder;
    std::ofstream(folder / "text.txt") << reference.json.at("text").get<std::string>();
    Recorder recorder;
    const auto session = open_predictor({.source = reference.folder,
                                         .task = "lm",
                                         .data = (folder / "text.txt").string(),
                                         .overrides = {"task.document_end=false"},
                                         .evaluation_data = true},
                                        recorder);
    EXPECT_EQ(session->evaluation[0].examples[0].ids, reference.ids());
    const SetReport report = evaluate_set(*session, session->evaluation[0]).report;
    EXPECT_NEAR(report.metrics[0].value / std::exp(reference.mean_loss()), 1, 1e-5);
  }
  if (compared == 0) GTEST_SKIP() << "no model with a tokenizer";
}

}  // namespace
}  // namespace mixtune
