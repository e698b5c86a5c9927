// Golden kind `minilm`: the real encoder of the quickstart, compared with transformers: hidden
// states,
// pooler, sentence embeddings (the mean over tokens, of length one) and their cosines. Ids are
// compared in tests/text.
#include <gtest/gtest.h>

#include "models/model.h"
#include "support/golden_tensors.h"

namespace mixtune::test {
namespace {

SequenceData sequence_of(const Json& entry) {
  SequenceData out;
  out.ids = entry.at("ids").get<std::vector<int32_t>>();
  if (entry.contains("token_type_ids"))
    out.types = entry.at("token_type_ids").get<std::vector<int32_t>>();
  return out;
}

Tensor embedding_of(const Tensor& hidden) {
  const Tensor mean = hidden.mean(0);  // [D]
  return mean / mean.norm();
}

// All sentences in one packed batch.
void check_specs(Model& model, const GoldenCase& golden, GoldenTensors& tensors) {
  const Json& specs = golden.json.at("sentences");
  const double hidden_tolerance = golden.json.at("tolerances").at("hidden_abs");
  const double embedding_tolerance = golden.json.at("tolerances").at("embedding_abs");
  std::vector<SequenceData> all;
  for (const Json& entry : specs) all.push_back(sequence_of(entry));
  const PackedBatch batch = packed(all);
  Reducer alone;
  ForwardContext context(Phase::evaluate, 0, 0, alone);
  const Tensor hidden = model.last_hidden_state(batch, context);  // [T, D]
  const Tensor pooled = model.pooled(hidden, batch.rows);         // [S, D]
  std::vector<Tensor> embeddings;
  for (int64_t s = 0; s < batch.rows.sequences(); ++s) {
    const std::string name = "sent" + std::to_string(s);
    const Tensor own = hidden.narrow(0, batch.rows.offsets[s], batch.rows.length(s));
    if (tensors.has(name + ".last_hidden_state"))
      tensors.expect_near(own, tensors.get(name + ".last_hidden_state"), hidden_tolerance, name);
    else
      tensors.expect_near(own.index_select(0, long_tensor(specs[s].at("rows_recorded"))),
                          tensors.get(name + ".last_hidden_state_rows"), hidden_tolerance, name);
    if (tensors.has(name + ".pooler_output"))
      tensors.expect_near(pooled[s], tensors.get(name + ".pooler_output"), hidden_tolerance,
                          name + " pooler");
    embeddings.push_back(embedding_of(own));
    tensors.expect_near(embeddings.back(), tensors.get(name + ".embedding"), embedding_tolerance,
                        name + " embedding");
  }
  const Tensor stacked = at::stack(embeddings);  // [S, D]
  tensors.expect_near(at::mm(stacked, stacked.t()), tensors.get("cosine"),
                      golden.json.at("tolerances").at("cosine_abs"), "cosine");
}

void check_pair(Model& model, const GoldenCase& golden, GoldenTensors& tensors) {
  if (!tensors.has("pair0.last_hidden_state")) return;
  Reducer alone;
  ForwardContext context(Phase::evaluate, 0, 0, alone);
  const PackedBatch batch = packed({sequence_of(golden.json.at("pairs").at(0))});
  tensors.expect_near(model.last_hidden_state(batch, context),
                      tensors.get("pair0.last_hidden_state"),
                      golden.json.at("tolerances").at("hidden_abs"), "pair0");
}

void check_minilm(const GoldenCase& one, GoldenTally& tally) {
  if (!fs::exists(minilm_folder() / "model.safetensors"))
    return tally.skipped(one, "the MiniLM model is not in " + minilm_folder().string() +
                                  " (make model, or set MIXTUNE_MINILM)");
  const at::NoGradGuard no_grad;
  LoadOptions options;
  options.head = HeadKind::none;
  const LoadedModel loaded = load_model(minilm_folder(), options);
  GoldenTensors tensors(one.folder / "tensors.safetensors");
  check_specs(*loaded.model, one, tensors);
  check_pair(*loaded.model, one, tensors);
  tally.checked(one, tensors.values());
}

MIXTUNE_GOLDEN_CHECKER(minilm, check_minilm);

}  // namespace
}  // namespace mixtune::test
