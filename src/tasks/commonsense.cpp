// Eight multiple-choice tasks with two scoring protocols: `label`, the reference protocol of the
// LoRA-expert papers (one token per label; all labels of the task compete), and `likelihood`, the
// length-normalized log-probability of each answer option, which published baselines use. The
// metric is named after the scoring because the two are not comparable.
#include <algorithm>

#include "metrics/accuracy.h"
#include "tasks/commonsense_read.h"
#include "tasks/find_file.h"
#include "tasks/language_task.h"

namespace mixtune {
namespace {

namespace fs = std::filesystem;

struct CommonsenseConfig final : LanguageTaskConfig {
  std::string scoring = "label", normalize = "characters", chat = "plain";

  CommonsenseConfig() { max_length = 512; }

  void fields(FieldVisitor& v) override {
    data_fields(v);
    v.field("scoring", scoring,
            "label: choose the label whose token has the highest logit after the prompt; "
            "likelihood: choose the answer with the highest length-normalized log-probability.",
            {.choices = {"label", "likelihood"}});
    v.field("normalize", normalize,
            "Unit of length by which the log-probability of an answer is divided (scoring: "
            "likelihood); none: not divided.",
            {.choices = {"characters", "tokens", "none"}});
    v.field("template", chat, "Chat template for questions in the instruction form.",
            {.choices = chat_template_names()});
    completion_fields(v);
    end_field(v);
    split_fields(v);
  }
};

int64_t characters(const std::string& text) {
  const size_t first = std::min(text.find_first_not_of(' '), text.size());
  return std::count_if(text.begin() + static_cast<ptrdiff_t>(first), text.end(),
                       [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; });
}

class CommonsenseTask final : public LanguageTask {
 public:
  CommonsenseTask(const CommonsenseSpec& spec, CommonsenseConfig config,
                  const std::vector<std::string>& saved)
      : LanguageTask(spec.name, config),
        spec_(spec),
        config_(std::move(config)),
        by_label_(config_.scoring == "label") {
    if (saved.empty()) return;
    if (saved != spec.labels && saved != spec.list_labels)
      throw UserError(spec.name,
                      "the saved labels are " + join_names(saved) + "; expected " +
                          join_names(spec.labels) + " or " + join_names(spec.list_labels),
                      "Use an adapter or run that was trained on " + spec.name + ".");
    // If both forms have the same labels, the data determines the form.
    if (spec.labels != spec.list_labels)
      form_ = saved == spec.labels ? CommonsenseForm::original : CommonsenseForm::instruction;
  }

  const std::vector<std::string>& labels() override {
    if (!form_ && (options().train || !options().data.empty())) {
      if (evaluation_path())
        evaluation_sets();
      else
        train();
    }
    return labels_of(spec_, form_.value_or(CommonsenseForm::original));
  }

  std::vector<std::string> text_fields() const override { return {"instruction"}; }

  Example example_from_json(const nlohmann::json& object, const std::string& where) const override {
    if (!form_) form_ = form_of(object);
    return commonsense_example(object, *form_, format(), where);
  }

  std::string main_metric() const override { return config_.scoring + "_accuracy"; }
  bool smaller_is_better() const override { return false; }

  std::vector<MetricValue> metrics(const DataSet& set,
                                   const Predictions& predictions) const override {
    const Labeled of = labeled(set, predictions, false);
    if (of.labels.empty()) return {};
    return {{main_metric(), accuracy(of.labels, of.predicted_labels)}};
  }

  std::optional<int32_t> end_token(const Tokenizer& tokenizer) const override {
    return frame_of(tokenizer).end;
  }

  EncodedExamples encode_training(const Tokenizer& tokenizer, const DataSet& set,
                                  int64_t max_length) const override {
    return encode_parts_set(tokenizer, set, frame_of(tokenizer), parts_options(max_length));
  }

  EncodedExamples encode_evaluation(const Tokenizer& tokenizer, const DataSet& set,
                                    int64_t max_length) const override {
    const TextFrame frame = frame_of(tokenizer);
    EncodedExamples out;
    for (size_t i = 0; i < set.examples.size(); ++i) {
      const std::string where = example_place(set, i);
      std::vector<EncodedExample> sequences =
          by_label_ ? label_sequence(tokenizer, set.examples[i], frame, where)
                    : answer_sequences(tokenizer, set.examples[i], frame);
      for (EncodedExample& sequence : sequences) {
        sequence.id = set.examples[i].id;
        const auto tokens = static_cast<int64_t>(sequence.ids.size());
        const bool may_cut = config_.too_long != "reject";
        if (tokens > max_length && (!may_cut || !truncate_prompt(sequence, frame, max_length)))
          throw UserError(where,
                          "has " + std::to_string(tokens) + " tokens; expected at most " +
                              std::to_string(max_length) + " (task.max_length)",
                          "Raise task.max_length: evaluation questions are never left out.");
        out.examples.push_back(std::move(sequence));
      }
    }
    return out;
  }

  Predictions combine(const DataSet& set, const std::vector<EncodedExample>& sequences,
                      Predictions given) const override {
    if (by_label_) return given;
    Predictions out;
    size_t at = 0;
    for (const Example& example : set.examples) {
      std::vector<LabelScore>& scores = out.label_scores.emplace_back();
      for (; at < sequences.size() && sequences[at].id == example.id; ++at)
        scores.push_back(
            {sequences[at].label, given.likelihoods.at(at).log_probability / sequences[at].length});
      MIXTUNE_CHECK(!scores.empty(), "a question without answers");
      const auto best = std::max_element(
          scores.begin(), scores.end(),
          [](const LabelScore& a, const LabelScore& b) { return a.score < b.score; });
      out.labels.push_back(best->label);
    }
    return out;
  }

 protected:
  DataSet read_train() override {
    const fs::path path =
        options().train ? named_file(folder_or_none(), *options().train, "task.train")
                        : required_file(folder(), names("train", spec_.train_files), "task.train");
    return read(path, "train", Gold::required);
  }

  std::vector<DataSet> read_evaluation() override {
    const auto path = evaluation_path();
    if (!path) return {};
    return {read(*path, path == test_path() ? "test" : "dev", Gold::required)};
  }

  std::vector<DataSet> read_test() override {
    const auto path = test_path();
    if (!path) return {};
    return {read(*path, "test", Gold::optional)};
  }

 private:
  // Returns one sequence whose next token is a label.
  std::vector<EncodedExample> label_sequence(const Tokenizer& tokenizer, const Example& example,
                                             const TextFrame& frame,
                                             const std::string& where) const {
    EncodedExample out;
    if (example.options.empty()) {
      // Reference protocol: the last token of " label", right after the prompt.
      out = encode_parts(tokenizer, {example.parts.front()}, frame, {});
      out.prompt = static_cast<int64_t>(out.ids.size());
      for (const std::string& label : spec_.labels)
        out.candidates.push_back(tokenizer.encode(" " + label, {.add_special = false}).ids.back());
    } else {
      // "the correct answer is answer2": all tokens up to the one in which the labels differ.
      for (const AnswerOption& option : example.options) {
        EncodedExample one = encode_parts(tokenizer, option.parts, frame, {});
        out.candidates.push_back(one.ids.back());
        one.ids.pop_back();
        if (!out.ids.empty() && one.ids != out.ids) reject_labels(where);
        out.prompt = one.prompt;
        out.ids = std::move(one.ids);
      }
    }
    std::vector<int32_t> sorted = out.candidates;
    std::sort(sorted.begin(), sorted.end());
    if (std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end()) reject_labels(where);
    out.label = example.label;
    return {out};
  }

  [[noreturn]] void reject_labels(const std::string& where) const {
    throw UserError(where, "the labels differ in more than one token of this tokenizer, or in none",
                    "Set task.scoring=likelihood.");
  }

  std::vector<EncodedExample> answer_sequences(const Tokenizer& tokenizer, const Example& example,
                                               const TextFrame& frame) const {
    std::vector<EncodedExample> out;
    for (const AnswerOption& option : example.options) {
      EncodedExample& one = out.emplace_back(encode_parts(tokenizer, option.parts, frame, {}));
      one.label = option.label;
      one.is_distractor = example.label >= 0 && option.label != example.label;
      if (config_.normalize == "characters")
        one.length =
            static_cast<double>(std::max<int64_t>(1, characters(option.parts.back().text)));
      if (config_.normalize == "tokens")
        one.length = static_cast<double>(std::max<int64_t>(1, one.supervised_tokens()));
    }
    return out;
  }

  PartsOptions parts_options(int64_t max_length) const {
    return {.max_length = max_length,
            .too_long = too_long(config_.too_long),
            .learns_all = config_.loss == "all"};
  }

  CommonsenseFormat format() const {
    return {&spec_, by_label_ ? CommonsenseScoring::label : CommonsenseScoring::likelihood,
            &chat_template(config_.chat)};
  }

  TextFrame frame_of(const Tokenizer& tokenizer) const {
    const std::string& end = chat_template(config_.chat).end;
    if (config_.end) return text_frame(tokenizer, config_.end, "task.end");
    if (end.empty()) return text_frame(tokenizer, std::nullopt, "task.end");
    return text_frame(tokenizer, end, "task.template=" + config_.chat);
  }

  DataSet read(const fs::path& path, const std::string& name, Gold gold) {
    CommonsenseFile file = read_commonsense(path, name, format(), gold);
    if (form_ && *form_ != file.form)
      throw UserError(path.string(),
                      "has the fields of a different form than the data read before it",
                      "Use one form for training and evaluation: original fields, or "
                      "instruction, input, output, answer.");
    form_ = file.form;
    return std::move(file.set);
  }

  static std::vector<std::string> names(const std::string& split, std::vector<std::string> own) {
    own.push_back(split + ".json");
    own.push_back(split + ".jsonl");
    return own;
  }

  std::optional<fs::path> test_path() const {
    if (options().test) return named_file(folder_or_none(), *options().test, "task.test");
    if (options().data.empty()) return std::nullopt;
    return first_file(folder(), names("test", spec_.test_files));
  }

  // Without a dev file the test file is evaluated, as in the published results.
  std::optional<fs::path> evaluation_path() const {
    if (options().dev) return named_file(folder_or_none(), *options().dev, "task.dev");
    if (options().data.empty()) return std::nullopt;
    if (const auto path = first_file(folder(), names("dev", spec_.dev_files))) return path;
    return test_path();
  }

  fs::path folder() const { return data_folder(options().data, spec_.folder); }
  fs::path folder_or_none() const { return options().data.empty() ? fs::path() : folder(); }

  const CommonsenseSpec& spec_;
  CommonsenseConfig config_;
  bool by_label_;
  mutable std::optional<CommonsenseForm> form_;  // set once data has been read
};

}  // namespace

void register_commonsense(Registry<TaskEntry>& registry) {
  for (const CommonsenseSpec& spec : commonsense_specs())
    registry.add({.name = spec.name,
                  .summary = spec.summary + " (multiple choice, for decoders)",
                  .config = [] { return std::make_unique<CommonsenseConfig>(); },
                  .open = [&spec](const TaskSetup& setup) -> std::unique_ptr<Task> {
                    return std::make_unique<CommonsenseTask>(
                        spec, dynamic_cast<const CommonsenseConfig&>(setup.config), setup.labels);
                  }});
}

}  // namespace mixtune
