// Mixtures that cannot stand as they are written: a line that says what to do.
#include "support/tiny_model.h"

namespace molt::test {
namespace {

std::string mistake(const std::string& model, const std::string& yaml) {
  try {
    Attached(tiny_config(model, 2), "mixture", yaml);
  } catch (const UserError& error) {
    return error.what();
  }
  return "none";
}

void expect(const std::string& yaml, const std::string& says) {
  for (const std::string model : {"bert", "gpt2", "llama"}) {
    const std::string found = mistake(model, yaml);
    EXPECT_NE(found.find(says), std::string::npos) << model << ": " << found;
  }
}

// Linears that read the same input have one slot.
TEST(MixtureMistakes, PlainUpdatesBesideExpertsOfTheSameLinears) {
  const std::string taken = "mixture: another update stands on linears that read what ";
  expect("targets: [query]\nattention: {targets: [value]}\n", taken);
  expect("attention: {targets: [all-linear]}\n", taken);
  expect("attention: {targets: [ffn_up]}\n", taken);
  const std::string feed_forward = "mixture: another update stands on a linear of ";
  expect("site: feed_forward\nattention: {targets: [all-linear]}\n", feed_forward);
  expect("site: feed_forward\nattention: {targets: [ffn_up]}\n", feed_forward);
}

TEST(MixtureMistakes, WithoutALayer) {
  expect("layers: []\n", "mixture: targets and layers select no linear of the model.");
  expect("site: feed_forward\nlayers: []\n", "mixture.layers: is []");
}

}  // namespace
}  // namespace molt::test
