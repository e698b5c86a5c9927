// Instruction tuning: prompt and completion used unchanged, or Alpaca's fields and chats formatted
// by a named template. The answer and its end token are supervised; the prompt is not, unless
// task.loss is `all`.
#include "tasks/instruct_read.h"
#include "tasks/language_task.h"

namespace mixtune {
namespace {

struct InstructConfig final : LanguageTaskConfig {
  std::string fields_of_file = "auto", chat = "plain", turns = "all";
  std::optional<std::string> system, example_group;

  InstructConfig() { max_length = 512; }

  void fields(FieldVisitor& v) override {
    data_fields(v);
    v.field("fields", fields_of_file,
            "Keys of the objects in a file: prompt and completion (completion); instruction, input "
            "and output (alpaca); or messages (chat). auto: determined by the first object.",
            {.choices = instruct_field_names()});
    v.field("template", chat, "Chat template for instructions and messages.",
            {.choices = chat_template_names()});
    v.field("system", system, "System message for conversations that have none.");
    v.field("turns", turns, "Supervised answers of a chat: all, or only the last.",
            {.choices = {"all", "last"}});
    v.field("example_group", example_group,
            "Field of the training file that assigns each example to one of two groups, for "
            "localized balancing (loramoe).");
    completion_fields(v);
    end_field(v);
    dev_share_field(v);
    split_fields(v);
  }
};

class InstructTask final : public LanguageTask {
 public:
  explicit InstructTask(InstructConfig config)
      : LanguageTask("instruct", config),
        config_(std::move(config)),
        files_(config_, {"jsonl", "json"}),
        chat_(chat_template(config_.chat)) {}

  std::vector<std::string> text_fields() const override { return {"prompt", "completion"}; }

  Example example_from_json(const nlohmann::json& object, const std::string& where) const override {
    return instruct_request(object, where, format());
  }

  std::optional<int32_t> end_token(const Tokenizer& tokenizer) const override {
    return frame_of(tokenizer).end;
  }

  EncodedExamples encode_training(const Tokenizer& tokenizer, const DataSet& set,
                                  int64_t max_length) const override {
    return encode_parts_set(tokenizer, set, frame_of(tokenizer),
                            {.max_length = max_length,
                             .too_long = too_long(config_.too_long),
                             .learns_all = config_.loss == "all"});
  }

 protected:
  DataSet read_train() override {
    InstructFormat of_training = format();
    of_training.example_group = config_.example_group;
    DataSet all = read_instruct(files_.train(), "train", of_training);
    if (!config_.dev_share || files_.dev()) return all;
    auto [train, dev] = hold_out(all, *config_.dev_share);
    held_out_ = std::move(dev);
    return std::move(train);
  }

  std::vector<DataSet> read_evaluation() override {
    if (const auto path = files_.dev()) return {read_instruct(*path, "dev", format())};
    if (!config_.dev_share) return {};
    train();
    return {*held_out_};
  }

  std::vector<DataSet> read_test() override {
    if (const auto path = files_.test()) return {read_instruct(*path, "test", format())};
    return {};
  }

 private:
  InstructFormat format() const {
    return {.fields = instruct_fields(config_.fields_of_file),
            .chat = &chat_,
            .system = config_.system,
            .last_answer_alone = config_.turns == "last"};
  }

  TextFrame frame_of(const Tokenizer& tokenizer) const {
    if (config_.end) return text_frame(tokenizer, config_.end, "task.end");
    if (chat_.end.empty()) return text_frame(tokenizer, std::nullopt, "task.end");
    return text_frame(tokenizer, chat_.end, "task.template=" + chat_.name);
  }

  InstructConfig config_;
  TaskFiles files_;
  const ChatTemplate& chat_;
  std::optional<DataSet> held_out_;
};

}  // namespace

void register_instruct(Registry<TaskEntry>& registry) {
  registry.add(
      {.name = "instruct",
       .summary =
           "instruction tuning on prompts, Alpaca fields or chats in JSON lines, for decoders",
       .config = [] { return std::make_unique<InstructConfig>(); },
       .open = [](const TaskSetup& setup) -> std::unique_ptr<Task> {
         return std::make_unique<InstructTask>(dynamic_cast<const InstructConfig&>(setup.config));
       }});
}

}  // namespace mixtune
