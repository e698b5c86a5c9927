// The commands one after the other, as a user types them, on a tiny model and a tiny task.
#include "base/file.h"
#include "files/json_lines.h"
#include "run_cli.h"
#include "support/golden.h"
#include "support/rounding.h"
#include "tensor/tensor_file.h"
#include "train/tiny_run.h"

namespace mixtune::test {
namespace {

class EndToEnd : public testing::Test {
 protected:
  std::vector<std::string> train_command(const std::string& method, const std::string& run) const {
    return {"train",
            method,
            "classify",
            "model.path=" + world_.model().string(),
            "task.data=" + world_.data().string(),
            "task.max_length=24",
            "train.epochs=2",
            "train.batch_size=8",
            "train.learning_rate=2e-3",
            "threads=1",
            "--output",
            path(run)};
  }
  std::vector<std::string> check_command(const std::string& method) const {
    std::vector<std::string> out = train_command(method, "run");
    out.front() = "check";
    out.resize(out.size() - 2);  // --output
    return out;
  }
  std::string path(const std::string& name) const { return world_.path(name).string(); }

  TinyWorld world_;
};

TEST_F(EndToEnd, TrainsThenEvaluatesPredictsComparesAndInspects) {
  for (const std::string method : {"lora", "molex"}) {
    const CliResult trained = run_cli(train_command(method, method));
    ASSERT_EQ(trained.code, 0) << trained.err;
    EXPECT_TRUE(says(trained.out, "step 10/10")) << trained.out;
    EXPECT_TRUE(says(trained.out, "accuracy")) << trained.out;
    EXPECT_TRUE(says(trained.out, path(method) + "/adapter")) << trained.out;
  }

  const CliResult evaluated = run_cli({"eval", path("lora"), "--json", path("eval.json")});
  ASSERT_EQ(evaluated.code, 0) << evaluated.err;
  const double accuracy = read_json(path("lora") + "/result.json")["metrics"]["accuracy"];
  EXPECT_EQ(read_json(path("eval.json"))["sets"][0]["metrics"]["accuracy"], accuracy);

  const CliResult compared =
      run_cli({"compare", path("lora"), path("molex"), "--majority", "--json", path("all.json")});
  ASSERT_EQ(compared.code, 0) << compared.err;
  const Json table = read_json(path("all.json"));
  EXPECT_EQ(table["lora"]["accuracy"], accuracy);
  EXPECT_NEAR(table["majority"]["accuracy"], 1.0 / 3, 1e-9);
  EXPECT_GT(table["molex"]["trainable_parameters"], table["lora"]["trainable_parameters"]);

  write_file_atomically(path("in.jsonl"),
                        "{\"text\": \"the red tree\"}\n\n{\"text\": \"a sky\"}\n");
  const CliResult predicted = run_cli(
      {"predict", path("molex"), "--input", path("in.jsonl"), "--output", path("out.jsonl")});
  ASSERT_EQ(predicted.code, 0) << predicted.err;
  EXPECT_EQ(predicted.out, "");
  int lines = 0;
  read_json_lines(path("out.jsonl"), [&](const Json& line, int64_t) {
    ++lines;
    double sum = 0, best = 0;
    for (const auto& score : line["scores"].items()) {
      sum += score.value().get<double>();
      best = std::max(best, score.value().get<double>());
    }
    EXPECT_NEAR(sum, 1, 1e-5);
    EXPECT_EQ(line["scores"][line["label"].get<std::string>()], best);
  });
  EXPECT_EQ(lines, 2);

  const CliResult inspected = run_cli({"inspect", path("molex")});
  EXPECT_EQ(inspected.code, 0) << inspected.err;
  EXPECT_TRUE(says(inspected.out, "layer 1 ")) << inspected.out;
  const CliResult adapter = run_cli({"inspect", path("molex") + "/adapter"});
  EXPECT_EQ(adapter.code, 0) << adapter.err;
  for (const char* line : {"\n  method molex\n", "\n    over lora\n", "\n      r 8\n",
                           "\n  task classify\n", "\n    max_length 24\n"})
    EXPECT_TRUE(says(adapter.out, line)) << adapter.out;
  EXPECT_EQ(run_cli({"inspect", world_.model().string()}).code, 0);
  EXPECT_EQ(run_cli({"inspect", world_.model().string() + "/model.safetensors"}).code, 0);
  expect_mistake(run_cli({"inspect", path("lora"), "--routing"}), "its method has no router");
  fs::remove(path("molex") + "/routing.safetensors");  // as in a run without evaluations
  expect_mistake(run_cli({"inspect", path("molex"), "--routing"}),
                 "no routing has been recorded yet");
}

TEST_F(EndToEnd, AnExistingRunIsReplacedOnlyWithOverwrite) {
  ASSERT_EQ(run_cli(train_command("lora", "run")).code, 0);
  std::vector<std::string> again = train_command("lora", "run");
  expect_mistake(run_cli(again), "exists already");
  again.emplace_back("--overwrite");
  EXPECT_EQ(run_cli(again).code, 0);
}

TEST_F(EndToEnd, ResumeOfAFinishedRunShowsItsResult) {
  ASSERT_EQ(run_cli(train_command("bitfit", "run")).code, 0);
  const std::string before = read_file(path("run") + "/result.json");
  const CliResult resumed = run_cli({"resume", path("run")});
  EXPECT_EQ(resumed.code, 0) << resumed.err;
  EXPECT_TRUE(says(resumed.out, "accuracy")) << resumed.out;
  EXPECT_EQ(read_file(path("run") + "/result.json"), before);
}

TEST_F(EndToEnd, CheckTrainsNothing) {
  const CliResult checked = run_cli(check_command("lora"));
  EXPECT_EQ(checked.code, 0) << checked.err;
  EXPECT_TRUE(says(checked.out, "trainable")) << checked.out;
  EXPECT_TRUE(checked.out.ends_with("\n")) << checked.out;
  EXPECT_FALSE(fs::exists(path("run")));
}

TEST_F(EndToEnd, CheckWarnsAsTrainingDoes) {
  std::vector<std::string> command = check_command("loramoe");
  command.insert(command.end(), {"method.balance=0.1", "task.max_length=8"});
  const CliResult checked = run_cli(command);
  EXPECT_EQ(checked.code, 0) << checked.err;
  EXPECT_TRUE(says(checked.err, "warning: localized balancing (variation) is on")) << checked.err;
  EXPECT_TRUE(says(checked.err, "are cut to task.max_length 8")) << checked.err;
}

TEST_F(EndToEnd, CheckRejectsWhatTrainingRejects) {
  expect_mistake(run_cli({"check", "lora", "model.path=" + world_.model().string()}),
                 "task: is not set");
}

TEST_F(EndToEnd, MistakesBeforeTheFirstStepLeaveNoFolder) {
  std::vector<std::string> command = train_command("lora", "run");
  command.insert(command.begin() + 1, "task.train=missing.tsv");
  const CliResult result = run_cli(command);
  EXPECT_EQ(result.code, 2);
  EXPECT_TRUE(says(result.err, "missing.tsv")) << result.err;
  EXPECT_FALSE(fs::exists(path("run")));
}

TEST_F(EndToEnd, BadRequestsNameTheLine) {
  ASSERT_EQ(run_cli(train_command("lora", "run")).code, 0);
  for (const std::string line : {"{\"txt\": \"a\"}", "{\"text\": 3}", "not json", "[1]"}) {
    write_file_atomically(path("in.jsonl"), "{\"text\": \"fine\"}\n" + line + "\n");
    const CliResult result = run_cli({"predict", path("run"), "--input", path("in.jsonl")});
    EXPECT_EQ(result.code, 2);
    EXPECT_TRUE(says(result.err, "in.jsonl:2")) << result.err;
    EXPECT_EQ(result.out, "");
  }
}

// The number of the last of hidden.0, hidden.1, ...
int64_t last_layer(const NamedTensors& tensors) {
  int64_t last = -1;
  while (find_tensor(tensors, "hidden." + std::to_string(last + 1)) != nullptr) ++last;
  return last;
}

// `mixtune forward` on the sequences of a golden case, all in one packed batch.
TEST(Forward, EqualsTheReferenceOnAPackedBatch) {
  int compared = 0;
  for (const GoldenCase& golden : golden_cases("model")) {
    if (golden.json.value("model_type", "") != "bert" || is_pending(golden)) continue;
    const TemporaryFolder folder;
    std::vector<int64_t> ids, types, offsets = {0};
    for (const Json& sequence : golden.json["sequences"]) {
      for (const int64_t id : sequence["input_ids"]) ids.push_back(id);
      if (sequence.contains("token_type_ids"))
        for (const int64_t type : sequence["token_type_ids"]) types.push_back(type);
      offsets.push_back(static_cast<int64_t>(ids.size()));
    }
    NamedTensors input = {{"ids", at::tensor(ids)}, {"offsets", at::tensor(offsets)}};
    if (types.size() == ids.size()) input.emplace_back("token_types", at::tensor(types));
    write_tensors(folder / "in.safetensors", input);
    const CliResult result =
        run_cli({"forward", "--model", golden.folder.string(), "--input", folder / "in.safetensors",
                 "--output", folder / "out.safetensors", "--hidden-states"});
    ASSERT_EQ(result.code, 0) << result.err;
    const NamedTensors output = read_tensors(folder / "out.safetensors");
    const NamedTensors expected = read_tensors(golden.folder / "tensors.safetensors");
    const Tensor* logits = find_tensor(output, "logits");
    const Tensor* last = find_tensor(output, "last_hidden_state");
    ASSERT_NE(logits == nullptr, last == nullptr) << golden.name;
    for (int64_t s = 0; s + 1 < static_cast<int64_t>(offsets.size()); ++s) {
      const std::string name = "seq" + std::to_string(s);
      if (const Tensor* want = find_tensor(expected, name + ".logits"); want && logits) {
        EXPECT_LT((logits->select(0, s) - want->flatten()).abs().max().item<double>(),
                  1e-4 * size_of(*want))
            << golden.name << " " << name;
        ++compared;
      }
      if (const Tensor* want = find_tensor(expected, name + ".last_hidden_state"); want) {
        const Tensor* have =
            last ? last : find_tensor(output, "hidden." + std::to_string(last_layer(output)));
        ASSERT_NE(have, nullptr);
        const Tensor rows = have->narrow(0, offsets[s], offsets[s + 1] - offsets[s]);
        EXPECT_LT((rows - want->reshape(rows.sizes())).abs().max().item<double>(),
                  1e-4 * size_of(*want))
            << golden.name << " " << name;
        ++compared;
      }
    }
  }
  if (compared == 0) GTEST_SKIP() << "there is no golden case of a BERT model";
}

TEST(Forward, RejectsInputThatDoesNotFit) {
  const TinyWorld world;
  const TemporaryFolder folder;
  const auto rejects = [&](const NamedTensors& input, const std::string& part) {
    write_tensors(folder / "in.safetensors", input);
    expect_mistake(run_cli({"forward", "--model", world.model().string(), "--input",
                            folder / "in.safetensors", "--output", folder / "out.safetensors"}),
                   part);
  };
  const Tensor ids = at::tensor({2, 5, 3}, at::kLong), offsets = at::tensor({0, 3}, at::kLong);
  rejects({{"ids", ids}}, "offsets");
  rejects({{"ids", ids + 100000}, {"offsets", offsets}}, "100005");
  rejects({{"ids", ids - 3}, {"offsets", offsets}}, "-1");
  rejects({{"ids", ids}, {"offsets", offsets + 1}}, "offsets");
  rejects({{"ids", ids}, {"offsets", at::tensor({0, 2, 2, 3}, at::kLong)}}, "sequence 1");
  rejects({{"ids", ids.to(at::kFloat)}, {"offsets", offsets}}, "whole numbers");
  rejects({{"ids", ids}, {"offsets", offsets}, {"token_types", offsets}}, "token_types");
}

TEST_F(EndToEnd, WritesTheSubmissionOfABenchmark) {
  const std::string data = path("sst2");
  create_folder(data);
  std::string rows = "sentence\tlabel\n", unlabeled = "index\tsentence\n";
  for (int i = 0; i < 8; ++i) {
    rows += i % 2 ? "a red tree\t1\n" : "the blue sky\t0\n";
    unlabeled += std::to_string(i) + "\tthe red sky\n";
  }
  for (const char* name : {"train.tsv", "dev.tsv"}) write_file_atomically(data + "/" + name, rows);
  write_file_atomically(data + "/test.tsv", unlabeled);
  std::vector<std::string> command = train_command("lora", "glue");
  command[2] = "sst2";
  command[4] = "task.data=" + data;
  const CliResult trained = run_cli(command);
  ASSERT_EQ(trained.code, 0) << trained.err;
  const CliResult evaluated = run_cli({"eval", path("glue"), "--submission", path("to-send")});
  ASSERT_EQ(evaluated.code, 0) << evaluated.err;
  const std::string file = read_file(path("to-send") + "/SST-2.tsv");
  EXPECT_TRUE(file.starts_with("index\tprediction\n0\t")) << file;
  EXPECT_EQ(std::count(file.begin(), file.end(), '\n'), 9) << file;
}

}  // namespace
}  // namespace mixtune::test
