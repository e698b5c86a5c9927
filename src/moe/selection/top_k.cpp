// Top-k: the k most probable experts (Shazeer et al. 2017; MoLA, MixLoRA).
#include "moe/by_layer.h"
#include "moe/selection/budget.h"

namespace mixtune {
namespace {

struct TopKConfig final : Config {
  std::string k = "2";
  void fields(FieldVisitor& v) override {
    v.field("k", k, "Number of experts per token: a number, or a list with one per layer.",
            {.check = numbers_expected});
  }
};

class TopK final : public Selection {
 public:
  explicit TopK(int64_t k) : k_(k) {}
  Tensor mask(const Tensor& probabilities) const override {
    const Ranked r = ranked(probabilities);
    return r.back(first_ranks(probabilities.size(1), k_, r.probabilities.options())
                      .expand(probabilities.sizes())
                      .contiguous());
  }
  void check(int64_t experts, const std::string& where) const override {
    check_enough(k_, experts, where);
  }

 private:
  int64_t k_;
};

// Top-k with a list: one k per layer.
class TopKOfLayers final : public Selection {
 public:
  explicit TopKOfLayers(std::string text) : text_(std::move(text)) {}
  Tensor mask(const Tensor&) const override { MIXTUNE_CHECK(false, "a selection without a layer"); }
  std::shared_ptr<const Selection> of_layer(int64_t layer, int64_t layers,
                                            const std::string& where) const override {
    return std::make_shared<TopK>(by_layer(text_, layers, where + ".k").at(layer));
  }

 private:
  std::string text_;
};

}  // namespace

void register_top_k(Registry<SelectionEntry>& registry) {
  registry.add({"top_k", "The k most probable experts.",
                [] { return std::make_unique<TopKConfig>(); },
                [](const Config& config) -> std::unique_ptr<Selection> {
                  const std::string& k = dynamic_cast<const TopKConfig&>(config).k;
                  if (k.front() == '[') return std::make_unique<TopKOfLayers>(k);
                  return std::make_unique<TopK>(by_layer(k, 1, "selection.k").at(0));
                }});
}

}  // namespace mixtune
