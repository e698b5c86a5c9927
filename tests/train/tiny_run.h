// Everything for training tests: a BERT of few layers with random weights, a vocabulary, and a
// classification task that can be learned (the label is a word of the text).
#pragma once

#include <gtest/gtest.h>

#include <fstream>

#include "base/config.h"
#include "base/json.h"
#include "files/events.h"
#include "models/model.h"
#include "support/paths.h"
#include "tensor/random.h"
#include "tensor/tensor_file.h"
#include "train/trainer.h"

namespace mixtune::test {

class TinyWorld {
 public:
  // `deviation` is the standard deviation of the model's weights.
  explicit TinyWorld(double dropout = 0.1, double deviation = 0.15, int64_t layers = 2) {
    write_model(dropout, deviation, layers);
    write_data();
  }

  fs::path path(const std::string& name) const { return folder_ / name; }
  fs::path model() const { return folder_ / "model"; }
  fs::path data() const { return folder_ / "data"; }

  // A config of this world with `lines` (YAML) and overrides on top.
  RunConfig config(const std::string& run, const std::vector<std::string>& overrides = {}) const {
    ConfigLayers layers;
    layers.add_text("model: {path: '" + model().string() + "'}\n" +
                        "task: {name: classify, data: '" + data().string() +
                        "', max_length: 24}\n" + "method: {name: lora, r: 4, lora_dropout: 0.1}\n" +
                        "train: {epochs: 2, batch_size: 8, learning_rate: 2e-3, warmup: 2}\n" +
                        "threads: 1\noutput: '" + path(run).string() + "'\n",
                    "test");
    for (const std::string& one : overrides) layers.add_override(one);
    RunConfig out;
    layers.apply(out);
    return out;
  }

  // 40 training and 24 evaluation examples of 3 to 14 words; the label is the one of "red green
  // blue" that is in the text. `labels` words only.
  void write_data(int64_t labels = 3) const {
    for (const auto& [name, count, key] :
         {std::tuple{"train", 40, RandomKey(1)}, std::tuple{"dev", 24, RandomKey(2)}}) {
      fs::create_directories(data());
      std::ofstream file(data() / (std::string(name) + ".tsv"));
      file << "text\tlabel\n";
      for (int64_t i = 0; i < count; ++i) {
        const RandomKey row = derive(key, static_cast<uint64_t>(i));
        const std::string label = kLabels[i % labels];
        const auto words = static_cast<int64_t>(3 + random_integer(row, 0, 12));
        const auto at = static_cast<int64_t>(random_integer(row, 1, static_cast<uint64_t>(words)));
        for (int64_t w = 0; w < words; ++w)
          file << (w ? " " : "")
               << (w == at ? label : kWords[random_integer(row, static_cast<uint64_t>(w + 2), 8)]);
        file << '\t' << label << '\n';
      }
    }
  }

 private:
  inline static const std::vector<std::string> kLabels = {"red", "green", "blue"};
  inline static const std::vector<std::string> kWords = {"the", "a",  "house", "tree",
                                                         "sky", "is", "of",    "and"};

  void write_model(double dropout, double deviation, int64_t layers) const {
    fs::create_directories(model());
    std::ofstream vocabulary(model() / "vocab.txt");
    int64_t size = 0;
    for (const std::string word : {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"}) {
      vocabulary << word << '\n';
      ++size;
    }
    for (const auto* words : {&kLabels, &kWords})
      for (const std::string& word : *words) {
        vocabulary << word << '\n';
        ++size;
      }
    const Json config = {{"model_type", "bert"},
                         {"architectures", {"BertModel"}},
                         {"vocab_size", size},
                         {"hidden_size", 32},
                         {"num_hidden_layers", layers},
                         {"num_attention_heads", 4},
                         {"intermediate_size", 48},
                         {"max_position_embeddings", 32},
                         {"type_vocab_size", 2},
                         {"hidden_act", "gelu"},
                         {"hidden_dropout_prob", dropout},
                         {"attention_probs_dropout_prob", dropout}};
    std::ofstream(model() / "config.json") << config.dump(2);
    const auto made = make_model(read_model_config(model()), HeadKind::none, 0, at::kFloat);
    NamedTensors tensors;
    for (const WeightSlot& slot : made->sites().weights) {
      const Tensor view = slot.view();
      const at::NoGradGuard no_grad;
      if (slot.kind != WeightKind::norm)
        view.copy_(normal_tensor(view.sizes(), deviation, derive(RandomKey(7), slot.name)));
      tensors.emplace_back(slot.name, view);
    }
    write_tensors(model() / "model.safetensors", tensors);
  }

  TemporaryFolder folder_;
};

// Records all reports.
class Recorder : public TrainingCallback {
 public:
  void on_step(const StepReport& report) override {
    steps.push_back(report);
    if (stop_at && report.step == *stop_at) stop.store(true);
  }
  void on_evaluation(const EvaluationReport& report) override { evaluations.push_back(report); }
  void on_message(std::string_view line) override { text += std::string(line) + "\n"; }
  void on_warning(std::string_view line) override {
    text += "warning: " + std::string(line) + "\n";
  }

  std::vector<StepReport> steps;
  std::vector<EvaluationReport> evaluations;
  std::string text;
  std::optional<int64_t> stop_at;  // sets `stop` when this step is done
  std::atomic<bool> stop{false};
};

inline RunResult run(const RunConfig& config) {
  Recorder recorder;
  return train(config, {}, recorder);
}

// Maps steps to losses, as printed in the file.
inline std::map<int64_t, std::string> losses(const fs::path& run) {
  std::map<int64_t, std::string> out;
  for (const Json& event : read_events(run / "events.jsonl"))
    if (event.at("event") == "step") {
      EXPECT_FALSE(out.contains(event.at("step").get<int64_t>())) << "step twice";
      out[event.at("step").get<int64_t>()] = event.at("loss").dump();
    }
  return out;
}

inline std::string bytes_of(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  EXPECT_TRUE(in.good()) << file;
  return {std::istreambuf_iterator<char>(in), {}};
}

// The message of the UserError that `call` throws.
template <class Call>
std::string user_error(Call call) {
  try {
    call();
  } catch (const UserError& error) {
    return error.what();
  }
  ADD_FAILURE() << "no UserError";
  return "";
}

inline bool contains(const std::string& text, const std::string& part) {
  if (text.find(part) != std::string::npos) return true;
  ADD_FAILURE() << "'" << part << "' is not in: " << text;
  return false;
}

}  // namespace mixtune::test
