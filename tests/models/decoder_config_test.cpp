// Reading model_type and rotary positions from config.json, in the current spelling and in older
// ones.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "base/json.h"
#include "models/model_config.h"
#include "support/paths.h"

namespace mixtune::test {
namespace {

// A LLaMA with one head of 16 columns and 16,384 positions.
RotarySettings rotary_of(const Json& more) {
  const TemporaryFolder folder;
  Json config = {
      {"model_type", "llama"},           {"vocab_size", 40},         {"hidden_size", 16},
      {"num_hidden_layers", 1},          {"num_attention_heads", 1}, {"intermediate_size", 24},
      {"max_position_embeddings", 16384}};
  config.update(more);
  std::ofstream(folder / "config.json") << config.dump();
  return read_model_config(folder.path()).decoder.value().rotary;
}

std::vector<double> frequencies(const RotarySettings& settings, int64_t length) {
  const Tensor found = rotary_frequencies(settings, length).to(at::kDouble);
  return {found.data_ptr<double>(), found.data_ptr<double>() + found.numel()};
}

// Expected values are those of tests/nn/rotary_test.cpp.
TEST(RotaryConfig, ReadsYarnInBothSpellings) {
  const Json old = {
      {"rope_theta", 10000.0},
      {"rope_scaling",
       {{"type", "yarn"}, {"factor", 4.0}, {"original_max_position_embeddings", 4096}}}};
  const Json current = {{"rope_parameters",
                         {{"rope_type", "yarn"},
                          {"rope_theta", 10000.0},
                          {"original_max_position_embeddings", 4096}}}};  // 16,384 / 4,096
  for (const Json& config : {old, current}) {
    const RotarySettings s = rotary_of(config);
    EXPECT_EQ(s.kind, RotarySettings::Kind::yarn);
    EXPECT_EQ(s.factor, 4);
    EXPECT_EQ(s.width, 16);
    const auto f = frequencies(s, 8);
    EXPECT_NEAR(f[2], .1, 1e-6);
    EXPECT_NEAR(f[3], .0256935060, 1e-7);
    EXPECT_NEAR(f[6], .00025, 1e-8);
    EXPECT_NEAR(rotary_amplitude(s), .1 * std::log(4) + 1, 1e-9);
  }
}

TEST(RotaryConfig, ReadsTheRampAndAmplitudeOfYarn) {
  Json scaling = {
      {"rope_type", "yarn"}, {"factor", 4.0},  {"original_max_position_embeddings", 4096},
      {"beta_fast", 16},     {"beta_slow", 2}, {"truncate", false}};
  const RotarySettings s = rotary_of({{"rope_scaling", scaling}});
  EXPECT_EQ(s.beta_fast, 16);
  EXPECT_EQ(s.beta_slow, 2);
  EXPECT_FALSE(s.truncates);
  scaling["attention_factor"] = 1.5;
  EXPECT_EQ(rotary_amplitude(rotary_of({{"rope_scaling", scaling}})), 1.5);
  scaling.erase("attention_factor");
  scaling.update({{"mscale", 2.0}, {"mscale_all_dim", 1.0}});
  EXPECT_NEAR(rotary_amplitude(rotary_of({{"rope_scaling", scaling}})),
              (.2 * std::log(4) + 1) / (.1 * std::log(4) + 1), 1e-9);
}

// Twice the length: base 10^4 (4 * 2 - 3)^(16/14), whose column 1 has 10^-0.5 5^(-1/7) =
// .316228 * .794597.
TEST(RotaryConfig, DynamicIncreasesItsBaseBeyondTheModelsPositions) {
  const RotarySettings s = rotary_of({{"rope_scaling", {{"type", "dynamic"}, {"factor", 4.0}}}});
  EXPECT_EQ(s.kind, RotarySettings::Kind::dynamic);
  EXPECT_EQ(s.positions, 16384);
  EXPECT_NEAR(frequencies(s, 16384)[1], .316227766, 1e-6);
  EXPECT_NEAR(frequencies(s, 2 * 16384)[1], .251273762, 1e-6);
}

TEST(RotaryConfig, UnknownKindIsAnErrorThatListsTheKnownOnes) {
  try {
    rotary_of({{"rope_scaling", {{"type", "spiral"}, {"factor", 2.0}}}});
    FAIL() << "no error";
  } catch (const UserError& error) {
    const std::string text = error.what();
    EXPECT_NE(text.find("default, linear, dynamic, yarn or llama3"), std::string::npos) << text;
  }
}

TEST(ModelType, IfUnknownIsAnErrorThatListsTheKnownOnes) {
  const Json mixtral = {{"model_type", "mixtral"}};
  try {
    rotary_of(mixtral);
    FAIL() << "no error";
  } catch (const UserError& error) {
    const std::string text = error.what();
    EXPECT_NE(text.find("config.json: model_type is 'mixtral'; supported: bert, roberta, "),
              std::string::npos)
        << text;
    for (const std::string& type : supported_model_types())
      EXPECT_NE(text.find(type), std::string::npos) << text;
  }
}

}  // namespace
}  // namespace mixtune::test
