// Every flag of `mixtune generate` that has a field sets the options of generation.
#include "cli/generation_settings.h"

#include <gtest/gtest.h>
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <algorithm>
#include <iterator>
#include <set>
#include <sstream>

#include "base/config.h"
#include "cli/field_flags.h"

namespace mixtune::test {
namespace {

GenerationSettings read(const std::string& flags) {
  std::istringstream words(flags);
  std::vector<std::string> arguments{std::istream_iterator<std::string>(words), {}};
  GenerationSettings out;
  GivenFlags given;
  CLI::App app;
  declare_flags(app, GenerationSettings(), given);
  std::reverse(arguments.begin(), arguments.end());
  app.parse(arguments);
  apply_flags(given, out);
  return out;
}

std::set<std::string> lines_of(const Config& config) {
  std::set<std::string> out;
  std::istringstream text(to_yaml(config));
  for (std::string line; std::getline(text, line);) out.insert(line);
  return out;
}

// Sampling and beam search exclude each other, so there are two commands.
const std::string kBeams =
    "--max-new-tokens 11 --min-new-tokens 3 --num-beams 7 --num-return-sequences 5 "
    "--length-penalty 0.8 "
    "--early-stopping true --repetition-penalty 1.3 --no-repeat-ngram-size 4 --stop-strings x "
    "--stop-strings y --eos-token-id 21 "
    "--eos-token-id 22 --too-long truncate_left --cache averaged --show-special-tokens "
    "--batch-size 9";
const std::string kSamples =
    "--do-sample --temperature 0.6 --top-k 40 --top-p 0.9 --min-p 0.05 --typical-p 0.7 --seed 17";

TEST(GenerationSettings, OfBeamSearchReachTheOptionsOfGeneration) {
  const GenerationSettings settings = read(kBeams);
  EXPECT_EQ(settings.num_return_sequences, 5);
  EXPECT_EQ(settings.stop_strings, (std::vector<std::string>{"x", "y"}));
  EXPECT_EQ(settings.eos_token_id, (std::vector<int64_t>{21, 22}));
  EXPECT_EQ(settings.too_long, "truncate_left");
  EXPECT_TRUE(settings.show_special_tokens);
  EXPECT_EQ(settings.batch_size, 9);
  const GenerateOptions options = settings.options({31, 32});
  EXPECT_EQ(options.max_new_tokens, 11);
  EXPECT_EQ(options.rules.repetition_penalty, 1.3);
  EXPECT_EQ(options.rules.no_repeat_ngram_size, 4);
  EXPECT_EQ(options.rules.min_new_tokens, 3);
  EXPECT_EQ(options.rules.stops, (std::vector<int32_t>{31, 32}));
  EXPECT_EQ(options.num_beams, 7);
  EXPECT_EQ(options.length_penalty, 0.8);
  EXPECT_EQ(options.early_stopping, GenerateOptions::EarlyStopping::at_once);
  EXPECT_EQ(options.decoding, Decoding::averaged);
  EXPECT_FALSE(options.sampling.has_value());
}

TEST(GenerationSettings, OfSamplingReachTheOptionsOfGeneration) {
  const GenerationSettings settings = read(kSamples);
  EXPECT_EQ(settings.seed, 17);
  const GenerateOptions options = settings.options({});
  EXPECT_EQ(options.num_beams, 1);
  ASSERT_TRUE(options.sampling.has_value());
  EXPECT_EQ(options.sampling->temperature, 0.6);
  EXPECT_EQ(options.sampling->top_k, 40);
  EXPECT_EQ(options.sampling->top_p, 0.9);
  EXPECT_EQ(options.sampling->min_p, 0.05);
  EXPECT_EQ(options.sampling->typical_p, 0.7);
}

TEST(GenerationSettings, AreAllSetByOneOfTheTwoCommands) {
  const std::set<std::string> beams = lines_of(read(kBeams)), samples = lines_of(read(kSamples));
  for (const std::string& line : lines_of(GenerationSettings()))
    EXPECT_FALSE(beams.contains(line) && samples.contains(line))
        << line << " is not set by either command";
}

TEST(GenerationSettings, ConvertEarlyStoppingAndCache) {
  using EarlyStopping = GenerateOptions::EarlyStopping;
  const auto options = [](const std::string& flag, const std::string& value) {
    return read("--num-beams 2 " + flag + " " + value).options({});
  };
  EXPECT_EQ(options("--early-stopping", "never").early_stopping, EarlyStopping::never);
  EXPECT_EQ(options("--early-stopping", "false").early_stopping, EarlyStopping::likely);
  EXPECT_EQ(options("--cache", "none").decoding, Decoding::recompute);
  EXPECT_EQ(options("--cache", "exact").decoding, Decoding::cached);
}

}  // namespace
}  // namespace mixtune::test
