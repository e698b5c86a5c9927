// Published counts of trainable parameters on models of their real sizes, which take no memory
// because meta tensors have no values. MoLEx: group F (29) of the verification tests of its sheet.
#include "support/tiny_model.h"

namespace mixtune::test {
namespace {

ModelConfig roberta(int64_t layers, int64_t width, int64_t heads) {
  ModelConfig c;
  c.model_type = "roberta";
  c.vocab_size = 50265;
  c.hidden_size = width;
  c.layers = layers;
  c.heads = heads;
  c.intermediate_size = 4 * width;
  c.max_positions = 514;
  c.type_vocab_size = 1;
  c.pad_token_id = 1;
  return c;
}

ModelConfig base() {
  return roberta(12, 768, 12);
}
ModelConfig large() {
  return roberta(24, 1024, 16);
}

struct Counts {
  std::map<std::string, int64_t> trained;  // by learning-rate group
  int64_t frozen = 0;
  int64_t of(const std::string& group) const {
    const auto found = trained.find(group);
    return found == trained.end() ? 0 : found->second;
  }
  int64_t all() const {
    int64_t sum = 0;
    for (const auto& [group, count] : trained) sum += count;
    return sum;
  }
};

Counts counts(const ModelConfig& config, int64_t labels, const std::string& method,
              const std::string& yaml) {
  const auto model =
      make_model(config, HeadKind::dense, labels, at::TensorOptions(at::kFloat).device(at::kMeta));
  const auto attachment = attach_method(model->sites(), method, yaml);
  Counts out;
  for (const Segment& s : attachment->trainables.segments()) out.trained[s.group] += s.count();
  for (const FrozenBuffer& buffer : attachment->buffers) out.frozen += buffer.tensor->numel();
  int64_t table = 0;
  for (const AttachedSite& site : attachment->table) table += site.parameters;
  EXPECT_EQ(table, out.all());
  EXPECT_EQ(attachment->trainables.count(), out.all());
  return out;
}

TEST(ParameterCounts, OfLoraArePublishedOnes) {
  EXPECT_EQ(counts(base(), 2, "lora", "r: 8").of("adapter"), 294912);   // "0.3M"
  EXPECT_EQ(counts(large(), 2, "lora", "r: 8").of("adapter"), 786432);  // "0.8M"
}

TEST(ParameterCounts, OfTheHeadFollowItsLabels) {
  EXPECT_EQ(counts(base(), 2, "lora", "").of("head"), 592130);
  EXPECT_EQ(counts(base(), 3, "lora", "").of("head"), 592899);
  EXPECT_EQ(counts(base(), 1, "lora", "").of("head"), 591361);
  EXPECT_EQ(counts(large(), 2, "lora", "").of("head"), 1051650);
  EXPECT_EQ(counts(large(), 3, "lora", "").of("head"), 1052675);
  EXPECT_EQ(counts(large(), 1, "lora", "").of("head"), 1050625);
}

// RobertaForSequenceClassification of roberta-base with two labels has 124,647,170 parameters.
TEST(ParameterCounts, OfFullFineTuningAreAllOfTheModel) {
  EXPECT_EQ(counts(base(), 2, "full", "").all(), 124647170);
}

// A layer has 11 bias vectors: q, k, v, output and the second linear 5 * 768, the first 3072,
// two norms 2 * 768: 8,448; twelve of them and the norm of the embeddings: 102,144 ("0.1%" of the
// model).
TEST(ParameterCounts, OfBitfitAreTheBiases) {
  EXPECT_EQ(counts(base(), 2, "bitfit", "").of("base"), 102144);
}

// Keys, values and inner activations: 12 * (768 + 768 + 3072).
TEST(ParameterCounts, OfIa3AreThreeVectorsPerLayer) {
  EXPECT_EQ(counts(base(), 2, "ia3", "").of("adapter"), 55296);
}

// Houlsby et al.: 2 m d + d + m for each adapter, two adapters per layer, and 2 d for each norm.
TEST(ParameterCounts, OfHoulsbyFollowThePapersFormula) {
  const int64_t m = 64, d = 768;
  EXPECT_EQ(counts(base(), 2, "houlsby", "bottleneck_size: 64").of("adapter"),
            12 * 2 * (2 * m * d + d + m + 2 * d));
}

TEST(ParameterCounts, OfLinearGatesAndAlpha) {
  const std::string alpha = "\nalpha: {kind: learned}";
  EXPECT_EQ(counts(base(), 2, "molex", "").of("gate"), 9228);
  EXPECT_EQ(counts(base(), 2, "molex", "gate: {sharing: per_layer}").of("gate"), 110736);
  EXPECT_EQ(counts(large(), 2, "molex", "").of("gate"), 24600);
  EXPECT_EQ(counts(large(), 2, "molex", "gate: {sharing: per_layer}").of("gate"), 590400);
  EXPECT_EQ(counts(base(), 2, "molex", alpha).of("gate"), 9228 + 2);
  EXPECT_EQ(counts(base(), 2, "molex", "gate: {sharing: per_layer}" + alpha).of("gate"),
            110736 + 24);
  EXPECT_EQ(counts(large(), 2, "molex", "gate: {sharing: per_layer}" + alpha).of("gate"),
            590400 + 48);
}

TEST(ParameterCounts, OfCosineGates) {
  const std::pair<int64_t, int64_t> known[] = {
      {416, 324897}, {384, 299905}, {256, 199937}, {128, 99969}, {96, 74977}};
  for (const auto& [projection, count] : known)
    EXPECT_EQ(counts(base(), 2, "molex",
                     "gate: {kind: cosine, projection: " + std::to_string(projection) + "}")
                  .of("gate"),
              count);
}

struct Glue {
  std::string task;
  int64_t labels;
  std::string yaml;
  int64_t executed;  // trainable parameters of the authors' code
};

// The settings of the authors' scripts. If their balance loss is off (MRPC, QNLI), the gate has no
// gradient path: in their code it is a parameter that only decays, here it is a frozen buffer,
// which is counted to match their number.
TEST(ParameterCounts, OfMolexOnGlueAreThoseOfTheAuthorsCode) {
  const std::string learned = "alpha: {kind: learned}\n";
  const auto cosine = [](int64_t p) {
    return "gate: {kind: cosine, projection: " + std::to_string(p) + "}\n";
  };
  const std::string per_layer = "gate: {sharing: per_layer}\n";
  const Glue all[] = {
      {"cola", 2, "alpha: {main: 0.95, other: 0.05}\n", 896270},
      {"mrpc", 2, learned + "balance: 0\n", 896272},
      {"rte", 2, per_layer + "balance: 0.001\n", 997778},
      {"stsb", 1, per_layer + "balance: 0.001\n", 997009},
      {"mnli", 3, learned + cosine(416) + "balance: 0.005\n", 1212710},
      {"qqp", 2, learned + cosine(384) + "balance: 0.001\n", 1186949},
      {"qnli", 2, learned + cosine(96) + "balance: 0\n", 962021},
      {"sst2", 2, cosine(128) + "balance: 0.01\n", 987011},
  };
  for (const Glue& one : all) {
    const Counts found = counts(base(), one.labels, "molex", one.yaml);
    const bool frozen = one.task == "mrpc" || one.task == "qnli";
    EXPECT_EQ(found.frozen > 0, frozen) << one.task;
    EXPECT_EQ(found.all() + found.frozen, one.executed) << one.task;
  }
}

struct Llama {
  int64_t layers, width, inner, heads, key_value_heads, vocabulary;
};
constexpr Llama kLlama2{32, 4096, 11008, 32, 32, 32000}, kLlama3{32, 4096, 14336, 32, 8, 128256},
    kTinyLlama{22, 2048, 5632, 32, 4, 32000}, kQwen15{28, 1536, 8960, 12, 2, 151936},
    kQwen05{24, 896, 4864, 14, 2, 151936};

// The parameters that a method trains, without the head, on a decoder of its real size.
Counts counts_on(const Llama& size, const std::string& method, const std::string& yaml) {
  ModelConfig c;
  c.model_type = "llama";
  c.vocab_size = size.vocabulary;
  c.hidden_size = size.width;
  c.layers = size.layers;
  c.heads = size.heads;
  c.intermediate_size = size.inner;
  c.max_positions = 2048;
  c.hidden_act = "silu";
  c.layer_norm_epsilon = 1e-6;
  DecoderConfig d;
  d.head_width = size.width / size.heads;
  d.key_value_heads = size.key_value_heads;
  d.rotary.width = d.head_width;
  d.windows.assign(static_cast<size_t>(size.layers), 0);
  c.decoder = d;
  const auto model = make_model(c, HeadKind::language, size.vocabulary,
                                at::TensorOptions(at::kFloat).device(at::kMeta));
  const auto attachment = attach_method(model->sites(), method, yaml, {.train_head = false});
  EXPECT_TRUE(attachment->trainables.values.is_meta());
  Counts out;
  for (const Segment& s : attachment->trainables.segments()) out.trained[s.group] += s.count();
  int64_t table = 0;
  for (const AttachedSite& site : attachment->table) table += site.parameters;
  EXPECT_EQ(table, out.all());
  return out;
}

// DynMoLE's template at its defaults trains 3.15 % of LLaMA-2-7B.
TEST(ParameterCounts, OfDynmoleAreThoseOfItsTemplate) {
  const std::tuple<Llama, int64_t, int64_t> known[] = {{kLlama2, 208797696, 3686400},
                                                       {kLlama3, 254803968, 4325376},
                                                       {kTinyLlama, 72990720, 1284096},
                                                       {kQwen15, 126959616, 2021376},
                                                       {kQwen05, 59719680, 958464}};
  for (const auto& [size, experts, routers] : known) {
    const Counts found = counts_on(size, "dynmole", "");
    EXPECT_EQ(found.of("adapter"), experts);
    EXPECT_EQ(found.of("router"), routers);
  }
  EXPECT_EQ(counts_on(kLlama2, "dynmole", "").all(), 212484096);
}

TEST(ParameterCounts, OfItsComparisonMethodsOnLlama2) {
  const std::string matched = "num_experts: 6\nr: 24\nlora_alpha: 48\n";
  EXPECT_EQ(counts_on(kLlama2, "loramoe", matched).all(), 212484096);
  EXPECT_EQ(counts_on(kLlama2, "mola", matched + "target_modules: [feed-forward]\n").all(),
            212484096);
  EXPECT_EQ(counts_on(kLlama2, "lora", "r: 80\ntarget_modules: [all-linear]\n").all(), 199884800);
  const Counts framework = counts_on(kLlama2, "mola", "num_experts: 8\nr: 10\n");
  EXPECT_EQ(framework.of("adapter"), 199884800);
  EXPECT_EQ(framework.of("router"), 9109504);
  const Counts original = counts_on(kLlama2, "mola", "");
  EXPECT_EQ(original.of("adapter"), 99942400);
  EXPECT_EQ(original.of("router"), 5693440);
  // MoE-PEFT issue 26 prints 17,432,576: seven experts of rank 4 on gate_proj alone.
  EXPECT_EQ(counts_on(kLlama3, "mola", "num_experts: 7\nr: 4\ntarget_modules: [gate_proj]\n").all(),
            17432576);
}

// "Sparse upcycling" adds no expert weights: without the gate and alpha, LoRA alone trains.
TEST(ParameterCounts, OfMolexHaveNoExpertWeights) {
  const Counts molex = counts(base(), 2, "molex", "control: uniform");
  const Counts lora = counts(base(), 2, "lora", "");
  EXPECT_EQ(molex.all(), lora.all());
  EXPECT_EQ(molex.frozen, 0);
}

}  // namespace
}  // namespace mixtune::test
