// The E2E challenge (Novikova et al. 2017): generate a sentence about a restaurant from its facts.
// The format is that of the reference LoRA and MoLEx experiments: the facts, an end-of-text token,
// a space and the text, an end-of-text token. The text and its end token are supervised, in
// training with label smoothing (train.label_smoothing). A meaning has several texts: each pair is
// a training example, but generation has one prompt per meaning.
#include "tasks/e2e_read.h"
#include "tasks/find_file.h"
#include "tasks/language_task.h"

namespace mixtune {
namespace {

namespace fs = std::filesystem;

struct E2eConfig final : LanguageTaskConfig {
  std::string format = "reference";

  E2eConfig() { max_length = 512; }

  void fields(FieldVisitor& v) override {
    data_fields(v);
    v.field("format", format,
            "Format of an example. reference: facts, end-of-text token, text, as in the authors' "
            "code; plain: \"Facts: ... Text: ...\".",
            {.choices = {"reference", "plain"}});
    completion_fields(v);
    end_field(v);
    split_fields(v);
  }
};

class E2eTask final : public LanguageTask {
 public:
  explicit E2eTask(E2eConfig config) : LanguageTask("e2e", config), config_(std::move(config)) {}

  std::vector<std::string> text_fields() const override { return {"meaning", "text"}; }

  Example example_from_json(const nlohmann::json& object, const std::string& where) const override {
    const Example texts = Task::example_from_json(object, where);
    return example_of({texts.first, *texts.second, 0}, 0);
  }

  std::optional<int32_t> end_token(const Tokenizer& tokenizer) const override {
    return text_frame(tokenizer, config_.end, "task.end").end;
  }

  EncodedExamples encode_training(const Tokenizer& tokenizer, const DataSet& set,
                                  int64_t max_length) const override {
    return encode_parts_set(tokenizer, set, text_frame(tokenizer, config_.end, "task.end"),
                            {.max_length = max_length,
                             .too_long = too_long(config_.too_long),
                             .learns_all = config_.loss == "all"});
  }

  std::vector<GenerationPrompt> generation_prompts(const DataSet& set) const override {
    std::vector<E2ePair> pairs;
    for (const Example& example : set.examples)
      pairs.push_back({example.first, *example.second, example.line});
    std::vector<GenerationPrompt> out;
    for (E2eGroup& group : group_by_meaning(pairs)) {
      GenerationPrompt& one = out.emplace_back();
      one.prompt = {
          .id = static_cast<int64_t>(out.size()) - 1, .line = group.line, .first = group.meaning};
      one.prompt.parts = prompt_parts(group.meaning);
      one.references = std::move(group.texts);
    }
    return out;
  }

 protected:
  DataSet read_train() override {
    const auto path = options().train
                          ? named_file(folder_or_none(), *options().train, "task.train")
                          : required_file(folder(), {"train.txt", "trainset.csv"}, "task.train");
    return read(path, "train");
  }

  std::vector<DataSet> read_evaluation() override {
    return read_some(options().dev, "dev", {"valid.txt", "dev.txt", "devset.csv"});
  }

  std::vector<DataSet> read_test() override {
    return read_some(options().test, "test", {"test.txt", "testset_w_refs.csv"});
  }

 private:
  std::vector<TextPart> prompt_parts(const std::string& meaning) const {
    if (config_.format == "reference") return {{.text = meaning, .ends = true}};
    return {{.text = "Facts: " + meaning + "\nText:"}};
  }

  Example example_of(const E2ePair& pair, int64_t id) const {
    Example out{.id = id, .line = pair.line, .first = reference_meaning(pair.meaning)};
    out.second = pair.text;
    out.parts = prompt_parts(out.first);
    out.parts.push_back({.text = " " + pair.text, .is_supervised = true, .ends = true});
    return out;
  }

  DataSet read(const fs::path& path, const std::string& name) const {
    DataSet out{.name = name, .source = path.string()};
    for (const E2ePair& pair : read_e2e_pairs(path)) {
      if (pair.text.empty())
        throw UserError(path.string() + ":" + std::to_string(pair.line), "has no text",
                        "Give every meaning a text or leave the line out.");
      out.examples.push_back(example_of(pair, static_cast<int64_t>(out.examples.size())));
    }
    return out;
  }

  std::vector<DataSet> read_some(const std::optional<std::string>& named, const std::string& name,
                                 const std::vector<std::string>& files) const {
    if (named) return {read(named_file(folder_or_none(), *named, "task." + name), name)};
    if (options().data.empty()) return {};
    const auto path = first_file(folder(), files);
    return path ? std::vector<DataSet>{read(*path, name)} : std::vector<DataSet>{};
  }

  fs::path folder() const { return data_folder(options().data, "pairs"); }
  fs::path folder_or_none() const { return options().data.empty() ? fs::path() : folder(); }

  E2eConfig config_;
};

}  // namespace

void register_e2e(Registry<TaskEntry>& registry) {
  registry.add({.name = "e2e",
                .summary = "E2E challenge: generate a sentence from the facts of a restaurant",
                .config = [] { return std::make_unique<E2eConfig>(); },
                .open = [](const TaskSetup& setup) -> std::unique_ptr<Task> {
                  return std::make_unique<E2eTask>(dynamic_cast<const E2eConfig&>(setup.config));
                }});
}

}  // namespace mixtune
