// LoRA (Hu et al. 2021, arXiv 2106.09685): W x + (alpha / rank) B A x with B = 0 at the start. As
// in PEFT, rsLoRA scales by alpha / sqrt(rank) (arXiv 2312.03732). Differs from PEFT in one thing:
// dropout has one mask for the linears that read the same x.
#include "methods/method.h"
#include "moe/bank/banks.h"

namespace molt {
namespace {

struct LoraConfig final : Config {
  int64_t rank = 8;
  double alpha = 16, dropout = 0;
  bool rslora = false;
  std::vector<std::string> targets = {"query", "value"};
  std::optional<std::vector<int64_t>> layers;
  std::map<std::string, int64_t> rank_pattern;
  std::map<std::string, double> alpha_pattern;

  void fields(FieldVisitor& v) override {
    v.field("rank", rank, "Rank of the updates.", {.minimum = 1, .maximum = 65536});
    v.field("alpha", alpha, "The update is scaled by alpha / rank.", {.above = 0});
    v.field("dropout", dropout, "Dropout on the input of the updates.", {.minimum = 0, .below = 1});
    v.field("rslora", rslora, "Scale by alpha / sqrt(rank) instead.");
    v.field(
        "targets", targets,
        "Linears to adapt: roles (query, key, value, attention_output, ffn_up, ffn_down), ends of "
        "module names, regular expressions, or all-linear.");
    v.field("layers", layers, "Block numbers to adapt; null: all.");
    v.field("rank_pattern", rank_pattern, "Ranks that differ, by a pattern of module names.",
            {.minimum = 1, .maximum = 65536});
    v.field("alpha_pattern", alpha_pattern, "Alphas that differ, by a pattern of module names.",
            {.above = 0});
  }
};

std::vector<Sentence> sentences(const Config& config, int64_t) {
  const auto& c = dynamic_cast<const LoraConfig&>(config);
  auto bank = std::make_shared<LowRankBank>();
  bank->rank = c.rank;
  bank->alpha = c.alpha;
  bank->dropout = c.dropout;
  bank->rank_stabilised = c.rslora;
  bank->rank_pattern = c.rank_pattern;
  bank->alpha_pattern = c.alpha_pattern;
  return {{.sites = {c.targets, c.layers}, .bank = bank}};
}

}  // namespace

void register_lora(Registry<MethodEntry>& registry) {
  registry.add({"lora", "arXiv 2106.09685", "Low-rank updates of chosen linears.",
                [] { return std::make_unique<LoraConfig>(); }, sentences});
}

}  // namespace molt
