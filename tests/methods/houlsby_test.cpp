// Bottleneck adapters worked by hand: the sublayer outputs x, the adapter x + up(relu(down(x))),
// and the norm follows.
#include "support/tiny_model.h"

namespace mixtune::test {
namespace {

struct NormSite {
  explicit NormSite(Sublayer sublayer, const std::string& yaml)
      : end(LayerNorm("layer.0.output.LayerNorm", 2, 1e-12, at::kDouble), sublayer, 0, 0) {
    end.norms = {{end.norm.name + ".weight", &end.norm.weight},
                 {end.norm.name + ".bias", &end.norm.bias}};
    sites.outputs.push_back(&end);
    sites.width = 2;
    attachment = attach_method(sites, "houlsby", yaml);
  }
  void set(const std::string& name, const std::vector<double>& numbers) {
    const at::NoGradGuard no_grad;
    const Segment* s = attachment->trainables.find("layer.0.output.bottleneck." + name);
    ASSERT_NE(s, nullptr) << name;
    attachment->trainables.value_of(*s).copy_(at::tensor(numbers, at::kDouble).view(s->shape));
  }
  ResidualNorm end;
  Sites sites;
  std::unique_ptr<Attachment> attachment;
};

// x = (3, 1): down (1, -1) gives 2, with its bias 0.5 it is 2.5; up (1, 2) gives (2.5, 5), with its
// bias (0, -1) it is (2.5, 4); x + that = (5.5, 5); with the residual (0.5, -2) it is (6, 3), whose
// norm is (1, -1).
TEST(Houlsby, AddsTheBottleneckBeforeTheResidualAndTheNorm) {
  NormSite site(Sublayer::attention, "bottleneck_size: 1\nactivation: relu");
  site.set("down.weight", {1, -1});
  site.set("down.bias", {0.5});
  site.set("up.weight", {1, 2});
  site.set("up.bias", {0, -1});
  const SequenceLayout rows = rows_of({1});
  Reducer alone;
  ForwardContext context(Phase::evaluate, 0, 0, alone);
  const Call call{rows, {}, context};
  const Tensor x = at::tensor({3., 1.}, at::kDouble).view({1, 2});
  const Tensor residual = at::tensor({0.5, -2.}, at::kDouble).view({1, 2});
  EXPECT_CLOSE(site.end.adapter->forward(x, call), at::tensor({5.5, 5.}, at::kDouble).view({1, 2}),
               1e-12);
  EXPECT_CLOSE(site.end.forward(x, residual, call), at::tensor({1., -1.}, at::kDouble).view({1, 2}),
               1e-9);
}

// relu clips: down (-1, 1) of (3, 1) is -2, relu gives 0, so only the bias of `up` is left.
TEST(Houlsby, AppliesTheActivationInTheBottleneck) {
  NormSite site(Sublayer::feed_forward, "bottleneck_size: 1\nactivation: relu");
  site.set("down.weight", {-1, 1});
  site.set("up.weight", {7, 7});
  site.set("up.bias", {0.25, 0});
  const SequenceLayout rows = rows_of({1});
  Reducer alone;
  ForwardContext context(Phase::evaluate, 0, 0, alone);
  EXPECT_CLOSE(site.end.adapter->forward(at::tensor({3., 1.}, at::kDouble).view({1, 2}),
                                         Call{rows, {}, context}),
               at::tensor({3.25, 1.}, at::kDouble).view({1, 2}), 1e-12);
}

TEST(Houlsby, FollowsTheConfiguredSublayers) {
  const auto sites = [](const std::string& yaml) {
    Attached run(tiny_config("bert", 2), "houlsby", "bottleneck_size: 4\n" + yaml);
    std::vector<std::string> out;
    for (const AttachedSite& site : run.attachment->table)
      if (site.what == "bottleneck 4") out.push_back(site.site);
    return out;
  };
  const std::string layer = "bert.encoder.layer.";
  EXPECT_EQ(sites("").size(), 4u);
  EXPECT_EQ(sites("after_feed_forward: false"),
            (std::vector<std::string>{layer + "0.attention.output", layer + "1.attention.output"}));
  EXPECT_EQ(sites("after_attention: false\nlayers_to_transform: [1]"),
            (std::vector<std::string>{layer + "1.output"}));
  EXPECT_THROW(sites("after_attention: false\nafter_feed_forward: false"), UserError);
}

TEST(Houlsby, TrainsTheNormsByDefault) {
  const auto trains_norms = [](const std::string& yaml) {
    Attached run(tiny_config("roberta", 1), "houlsby", yaml);
    return run.trainables().find("roberta.encoder.layer.0.output.LayerNorm.weight") != nullptr;
  };
  EXPECT_TRUE(trains_norms(""));
  EXPECT_FALSE(trains_norms("train_norms: false"));
}

}  // namespace
}  // namespace mixtune::test
