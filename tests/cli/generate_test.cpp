// mixtune generate on a tiny decoder: text on the terminal, JSON lines, interrupted jobs, user
// mistakes.
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <sstream>
#include <thread>

#include "base/file.h"
#include "files/json_lines.h"
#include "run_cli.h"
#include "train/tiny_language.h"

namespace mixtune::test {
namespace {

class GenerateCommand : public testing::TestWithParam<std::string> {
 protected:
  GenerateCommand() : world_(GetParam(), 0) {}

  std::string path(const std::string& name) const { return world_.path(name).string(); }
  CliResult generate(std::vector<std::string> more) const {
    more.insert(more.begin(), {"generate", path("model"), "--threads", "1"});
    return run_cli(more);
  }
  std::string file(const std::string& name, const std::string& text) const {
    fs::create_directories(world_.path(name).parent_path());
    write_file_atomically(path(name), text);
    return path(name);
  }
  std::vector<Json> lines(const std::string& name) const {
    std::vector<Json> out;
    read_json_lines(path(name), [&](const Json& line, int64_t) { out.push_back(line); });
    return out;
  }

  LanguageWorld world_;
};

INSTANTIATE_TEST_SUITE_P(Decoders, GenerateCommand, testing::Values("gpt2", "llama"),
                         [](const auto& info) { return info.param; });

std::vector<std::string> texts_of(const std::string& lines) {
  std::vector<std::string> out;
  std::istringstream stream(lines);
  for (std::string line; std::getline(stream, line);)
    out.push_back(parse_json(line, "stdout").at("text"));
  return out;
}

const std::string kPrompts =
    "{\"prompt\": \"red tree\"}\n\n{\"prompt\": \"a\"}\n{\"prompt\": \"the blue sea? \"}\n";

TEST_P(GenerateCommand, WritesTheSameToTheTerminalAndToAFile) {
  const CliResult shown = generate({"--prompt", "red tree", "--max-new-tokens", "8"});
  ASSERT_EQ(shown.code, 0) << shown.err;
  const CliResult filed =
      generate({"--prompt", "red tree", "--max-new-tokens", "8", "--output", path("one.jsonl")});
  ASSERT_EQ(filed.code, 0) << filed.err;
  EXPECT_EQ(filed.out, "");
  const Json line = lines("one.jsonl").at(0);
  EXPECT_EQ(shown.out, line["text"].get<std::string>() + "\n");
  EXPECT_EQ(line["prompt"], "red tree");
  EXPECT_LE(line["tokens"], 8);
  EXPECT_LT(line["log_probability"], 0);
  EXPECT_FALSE(fs::exists(path("one.jsonl.unfinished")));
}

TEST_P(GenerateCommand, ATextDoesNotDependOnItsBatch) {
  const std::string input = file("in.jsonl", kPrompts);
  for (const std::vector<std::string>& how :
       {std::vector<std::string>{}, {"--num-beams", "3"}, {"--do-sample", "--seed", "4"}}) {
    std::vector<std::string> together = {"--input", input, "--max-new-tokens", "6"};
    together.insert(together.end(), how.begin(), how.end());
    std::vector<std::string> alone = together;
    alone.insert(alone.end(), {"--batch-size", "1"});
    const CliResult a = generate(together), b = generate(alone);
    ASSERT_EQ(a.code, 0) << a.err;
    EXPECT_EQ(texts_of(a.out).size(), 3u);
    EXPECT_EQ(texts_of(a.out), texts_of(b.out));
  }
}

TEST_P(GenerateCommand, SamplesDependOnTheSeedAlone) {
  const auto sampled = [&](const std::string& seed) {
    const CliResult result = generate({"--prompt", "red", "--max-new-tokens", "12", "--do-sample",
                                       "--temperature", "1.5", "--seed", seed});
    EXPECT_EQ(result.code, 0) << result.err;
    return result.out;
  };
  EXPECT_EQ(sampled("1"), sampled("1"));
  EXPECT_NE(sampled("1"), sampled("2"));
}

TEST_P(GenerateCommand, ReturnsSeveralTexts) {
  const CliResult beams = generate({"--prompt", "red", "--max-new-tokens", "5", "--num-beams", "4",
                                    "--num-return-sequences", "2", "--output", path("b.jsonl")});
  ASSERT_EQ(beams.code, 0) << beams.err;
  const Json line = lines("b.jsonl").at(0);
  ASSERT_EQ(line["texts"].size(), 2u);
  EXPECT_GE(line["texts"][0]["score"], line["texts"][1]["score"]);
  EXPECT_EQ(line["texts"][0]["text"], line["text"]);
  const CliResult samples = generate({"--prompt", "red", "--max-new-tokens", "12", "--do-sample",
                                      "--temperature", "2", "--num-return-sequences", "3"});
  ASSERT_EQ(samples.code, 0) << samples.err;
  EXPECT_TRUE(says(samples.out, "--- 3 (score -")) << samples.out;
}

TEST_P(GenerateCommand, EndsBeforeAStopString) {
  std::vector<std::string> command = {"--prompt", "red tree",       "--max-new-tokens",
                                      "16",       "--do-sample",    "--temperature",
                                      "3",        "--eos-token-id", "2"};
  const std::string whole = generate(command).out;
  ASSERT_GT(whole.size(), 6u);
  const std::string stop = whole.substr(3, 2);
  command.insert(command.end(), {"--stop-strings", "never comes", "--stop-strings", stop});
  const CliResult result = generate(command);
  ASSERT_EQ(result.code, 0) << result.err;
  EXPECT_EQ(result.out, whole.substr(0, whole.find(stop)) + "\n");
}

// Interrupts the program, as Ctrl-C does, once `file` has content.
std::thread stop_at_first_line(const std::string& file) {
  return std::thread([file] {
    std::error_code error;
    while (!fs::exists(file, error) || fs::file_size(file, error) == 0)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    kill(getpid(), SIGINT);
  });
}

std::string many_prompts() {
  std::string out;
  for (int n = 0; n < 300; ++n) out += "{\"prompt\": \"red " + std::to_string(n) + "\"}\n";
  return out;
}

TEST_P(GenerateCommand, ContinuesAnInterruptedJob) {
  const auto command = [&](const std::string& output) {
    return std::vector<std::string>{
        "--input", path("in.jsonl"),   "--output", path(output), "--batch-size",
        "1",       "--max-new-tokens", "6"};
  };
  file("in.jsonl", many_prompts());
  std::thread interrupts = stop_at_first_line(path("out.jsonl"));
  const CliResult stopped = generate(command("out.jsonl"));
  interrupts.join();
  ASSERT_EQ(stopped.code, 130) << stopped.err;
  EXPECT_TRUE(says(stopped.err, "stopping; the current batch is discarded")) << stopped.err;
  EXPECT_TRUE(says(stopped.err, "the same command continues from there")) << stopped.err;
  const std::string first = read_file(path("out.jsonl"));
  EXPECT_TRUE(first.ends_with("\n"));

  std::vector<std::string> other = command("out.jsonl");
  other.back() = "7";
  const std::string changed = "was started with other inputs, weights or options";
  expect_mistake(generate(other), changed);
  const fs::path weights = world_.path("model/model.safetensors");
  const auto time = fs::last_write_time(weights);
  fs::last_write_time(weights, time + std::chrono::seconds(2));
  expect_mistake(generate(command("out.jsonl")), changed);
  fs::last_write_time(weights, time);
  // A job that was killed leaves an incomplete line.
  file("out.jsonl", first + "{\"prompt\": \"re");
  ASSERT_EQ(generate(command("out.jsonl")).code, 0);
  ASSERT_EQ(generate(command("whole.jsonl")).code, 0);
  EXPECT_EQ(read_file(path("out.jsonl")), read_file(path("whole.jsonl")));
  EXPECT_EQ(lines("out.jsonl").size(), 300u);
  EXPECT_FALSE(fs::exists(path("out.jsonl.unfinished")));

  expect_mistake(generate(command("out.jsonl")), "exists already and is finished");
  std::vector<std::string> again = command("out.jsonl");
  again.emplace_back("--overwrite");
  EXPECT_EQ(generate(again).code, 0);
}

TEST_P(GenerateCommand, DoesNotContinueWithAnotherAdapter) {
  run(world_.config("run", "instruct", {"train.epochs=1"}));
  const std::vector<std::string> command = {"generate",         path("run"),
                                            "--input",          file("in.jsonl", many_prompts()),
                                            "--batch-size",     "1",
                                            "--max-new-tokens", "6",
                                            "--output",         path("out.jsonl")};
  std::thread interrupts = stop_at_first_line(path("out.jsonl"));
  const CliResult stopped = run_cli(command);
  interrupts.join();
  ASSERT_EQ(stopped.code, 130) << stopped.err;
  const std::string adapter = path("run/adapter/adapter_model.safetensors");
  std::string bytes = read_file(adapter);
  bytes[bytes.size() - 4] ^= 1;  // the last number's lowest bit
  write_file_atomically(adapter, bytes);
  const CliResult rejected = run_cli(command);
  EXPECT_EQ(rejected.code, 2);
  EXPECT_TRUE(says(rejected.err, "was started with other inputs, weights or options"))
      << rejected.err;
}

TEST_P(GenerateCommand, RandomlyChosenLayersDoNotDependOnTheBatch) {
  run(world_.config("run", "instruct",
                    {"method=molex", "method.control=uniform", "method.alpha.main=0.5",
                     "method.alpha.other=0.5", "train.epochs=1"}));
  std::vector<std::string> command = {
      "generate", path("run"), "--input", file("in.jsonl", kPrompts), "--max-new-tokens", "6"};
  const CliResult together = run_cli(command);
  ASSERT_EQ(together.code, 0) << together.err;
  command.insert(command.end(), {"--batch-size", "1"});
  EXPECT_EQ(texts_of(run_cli(command).out), texts_of(together.out));
}

// Each meaning occurs once, in the order of the references, and `mixtune score` reads the output.
TEST_P(GenerateCommand, GeneratesTheTextsThatTheTaskOfARunIsScoredOn) {
  file("e2e/train.txt", "name : A||A is red.\nname : B||B is blue.\n");
  file("e2e/test.txt", "name : C||C is red.\nname : D||D is here.\nname : C||Red is C.\n");
  run(world_.config("run", "e2e", {"task.data=" + path("e2e"), "train.epochs=1"}));
  const auto command = [&](const std::string& output) {
    return std::vector<std::string>{"generate",   path("run"),        "--output",
                                    path(output), "--max-new-tokens", "6"};
  };
  const CliResult result = run_cli(command("out.jsonl"));
  ASSERT_EQ(result.code, 0) << result.err;
  EXPECT_TRUE(says(result.err, "mixtune score e2e --references " + path("e2e/test.txt")))
      << result.err;
  const std::vector<Json> written = lines("out.jsonl");
  ASSERT_EQ(written.size(), 2u);
  EXPECT_EQ(written[0]["meaning"], "name : C");
  EXPECT_EQ(written[0]["references"], 2);
  EXPECT_EQ(written[1]["meaning"], "name : D");
  EXPECT_EQ(written[1]["references"], 1);
  EXPECT_FALSE(fs::exists(path("out.jsonl.unfinished")));
  const std::string texts = read_file(path("out.txt"));
  EXPECT_EQ(std::count(texts.begin(), texts.end(), '\n'), 2);
  EXPECT_TRUE(texts.starts_with(written[0]["text"].get<std::string>())) << texts;
  const CliResult scored =
      run_cli({"score", "e2e", "--references", path("e2e/test.txt"), "--outputs", path("out.txt")});
  EXPECT_EQ(scored.code, 0) << scored.err;
  EXPECT_TRUE(says(scored.out, "2 outputs, 3 references")) << scored.out;
  EXPECT_EQ(run_cli({"score", "e2e", "--references", path("e2e/test.txt"), "--outputs",
                     path("out.jsonl")})
                .out,
            scored.out);

  // The prompt has the ids of training: the meaning and the end token.
  const std::string end = GetParam() == "llama" ? "</s>" : "<|endoftext|>";
  const CliResult typed = run_cli({"generate", path("run"), "--max-new-tokens", "6", "--input",
                                   file("in.jsonl", Json({{"prompt", "name : D" + end}}).dump())});
  ASSERT_EQ(typed.code, 0) << typed.err;
  EXPECT_EQ(texts_of(typed.out).at(0), written[1]["text"].get<std::string>());

  expect_mistake(run_cli(command("out.jsonl")), "out.txt: exists already");
  std::vector<std::string> other = command("dev.jsonl");
  other.insert(other.end(), {"--split", "dev"});
  expect_mistake(run_cli(other), "the run's task e2e has no dev file");
  other.insert(other.end(), {"--prompt", "a"});
  expect_mistake(run_cli(other), "has --split together with --prompt or --input");
}

TEST_P(GenerateCommand, ARunOfAnotherTaskNeedsPrompts) {
  run(world_.config("run", "instruct", {"train.epochs=1"}));
  expect_mistake(run_cli({"generate", path("run"), "--split", "dev"}),
                 "task instruct: has no metrics of generated text");
}

TEST_P(GenerateCommand, TruncatesALongPromptWithTooLong) {
  const std::string prompt(70, 'a');
  expect_mistake(generate({"--prompt", prompt, "--max-new-tokens", "10"}),
                 "leave room for 54. Shorten it");
  const CliResult cut =
      generate({"--prompt", prompt, "--max-new-tokens", "10", "--too-long", "truncate_left"});
  ASSERT_EQ(cut.code, 0) << cut.err;
  EXPECT_TRUE(says(cut.err, "1 prompts were truncated at their start")) << cut.err;
  const std::string begin = GetParam() == "llama" ? "" : "a";  // <s> is kept
  const CliResult same =
      generate({"--prompt", std::string(53, 'a') + begin, "--max-new-tokens", "10"});
  EXPECT_EQ(cut.out, same.out);
}

// LLaMA's tokenizer adds <s> before a text.
TEST(GenerateWithLlama, TheBeginTokenOccursOnceEvenIfThePromptHasIt) {
  const LanguageWorld world("llama", 0);
  std::vector<Json> written;
  for (const std::string prompt : {"red tree", "<s>red tree"}) {
    const CliResult result =
        run_cli({"generate", world.path("model").string(), "--threads", "1", "--prompt", prompt,
                 "--max-new-tokens", "8", "--output", world.path(prompt + ".jsonl").string()});
    ASSERT_EQ(result.code, 0) << result.err;
    read_json_lines(world.path(prompt + ".jsonl"),
                    [&](const Json& line, int64_t) { written.push_back(line); });
    written.back().erase("prompt");
  }
  ASSERT_EQ(written.size(), 2u);
  EXPECT_TRUE(written[0].contains("log_probability"));
  EXPECT_EQ(written[0], written[1]);
}

// None of the 100 tokens may occur twice, and end tokens are not allowed yet.
TEST_P(GenerateCommand, EndsATextIfNoTokenIsAllowed) {
  for (const std::string beams : {"1", "2"}) {
    std::vector<std::string> command = {"--prompt",
                                        "red",
                                        "--no-repeat-ngram-size",
                                        "1",
                                        "--min-new-tokens",
                                        "60",
                                        "--max-new-tokens",
                                        "60",
                                        "--num-beams",
                                        beams,
                                        "--output",
                                        path(beams)};
    for (int id = 1; id < 60; ++id)
      command.insert(command.end(), {"--eos-token-id", std::to_string(id)});
    const CliResult result = generate(command);
    ASSERT_EQ(result.code, 0) << result.err;
    const Json line = lines(beams).at(0);
    EXPECT_EQ(line["finish"], "length");
    EXPECT_LT(line["tokens"], 41);
    EXPECT_TRUE(line["log_probability"].is_number());
  }
}

TEST_P(GenerateCommand, RejectsATokenizerThatIsLargerThanTheModel) {
  const fs::path tokenizer = world_.path("model/tokenizer.json");
  Json content = read_json(tokenizer);
  Json token = content.at("added_tokens").at(0);
  token["id"] = kTinyVocabulary;
  token["content"] = "<|more|>";
  content["added_tokens"].push_back(token);
  write_file_atomically(tokenizer, content.dump());
  expect_mistake(
      generate({"--prompt", "red<|more|>", "--max-new-tokens", "4", "--output", path("out.jsonl")}),
      "--prompt: the tokenizer gives id 100; the model has embeddings for 0 to 99");
  EXPECT_FALSE(fs::exists(path("out.jsonl.unfinished")));
}

TEST_P(GenerateCommand, MistakesAreOneLine) {
  expect_mistake(generate({}), "has no prompt");
  expect_mistake(generate({"--prompt", "a", "--input", "b"}), "has --prompt and --input");
  expect_mistake(generate({"--prompt", ""}), "--prompt: is an empty prompt");
  const std::string not_utf8 = ": holds a byte that is not UTF-8 text. Give the flag UTF-8 text.";
  expect_mistake(generate({"--prompt", "\xFF"}), "--prompt" + not_utf8);
  expect_mistake(generate({"--prompt", "a", "--stop-strings", "\xFF"}),
                 "--stop-strings" + not_utf8);
  expect_mistake(generate({"--input", file("a.jsonl", "{\"prompt\": \"a\"}\nno\n")}),
                 "a.jsonl:2: is not valid JSON");
  expect_mistake(generate({"--input", file("a.jsonl", "{\"prompt\": \"a\"}\n{\"prompt\": \"\"}")}),
                 "a.jsonl:2: is an empty prompt");
  expect_mistake(generate({"--input", file("a.jsonl", "{\"text\": \"a\"}\n")}),
                 "a.jsonl:1: has no 'prompt'");
  expect_mistake(generate({"--input", file("a.jsonl", "{\"prompt\": 3}\n")}),
                 "a.jsonl:1: 'prompt' is not a string");
  expect_mistake(generate({"--input", path("nowhere.jsonl")}), "nowhere.jsonl");
  expect_mistake(generate({"--input", file("a.jsonl", "\n")}), "a.jsonl: has no prompt");
  expect_mistake(generate({"--prompt", "a", "--top-k", "5"}), "command line: do_sample is false");
  expect_mistake(generate({"--prompt", "a", "--seed", "5"}), "do_sample is false");
  expect_mistake(generate({"--prompt", "a", "--length-penalty", "2"}), "num_beams is 1");
  expect_mistake(generate({"--prompt", "a", "--early-stopping", "true"}), "num_beams is 1");
  const auto four_tokens = [&](std::vector<std::string> more) {
    more.insert(more.end(), {"--prompt", "a", "--max-new-tokens", "4"});
    return generate(more);
  };
  expect_mistake(four_tokens({"--cache", "averaged"}),
                 "cache: is averaged, which only molex supports; the method here is none");
  expect_mistake(four_tokens({"--eos-token-id", "16777216", "--min-new-tokens", "3"}),
                 "eos_token_id: has 16777216; expected ids of the model, 0 to 99");
  expect_mistake(four_tokens({"--output", path("model"), "--overwrite"}),
                 "model: is a folder; expected a file");
  expect_mistake(four_tokens({"--output", "/nowhere/x.jsonl"}), "/nowhere/x.jsonl: ");
  EXPECT_FALSE(fs::exists(path("model.unfinished")));
  expect_mistake(generate({"--prompt", "a", "--num-beams", "0"}), "num_beams");
  expect_mistake(generate({"--prompt", "a", "--num-beams", "many"}), "num_beams");
  expect_mistake(generate({"--prompt", "a", "--num-return-sequences", "2"}),
                 "num_return_sequences");
  expect_mistake(generate({"--prompt", "a", "--max-new-tokens", "64"}), "max_new_tokens");
  expect_mistake(generate({"--prompt", "a", "--temprature", "2"}), "--temperature");
  EXPECT_FALSE(fs::exists(path("out.jsonl")));
}

}  // namespace
}  // namespace mixtune::test
