// Causal language modeling on plain text. A text file is one document, or has one per line or
// paragraph. Documents are concatenated with the end-of-text token between them and cut into chunks
// (as in the training of GPT-2), or each document is cut into chunks separately. Chunks overlap by
// the tokens without loss, so that each token but the first is predicted exactly once (except
// tokens that determine the routing, train/routing_tokens.h).
#include <utility>

#include "base/file.h"
#include "files/text_lines.h"
#include "tasks/language_task.h"

namespace mixtune {
namespace {

namespace fs = std::filesystem;

struct LmConfig final : LanguageTaskConfig {
  std::string documents = "file";
  bool join = true, document_end = true;
  int64_t prompt_tokens = 0;

  void fields(FieldVisitor& v) override {
    data_fields(v);
    v.field("documents", documents,
            "Unit of one document: the whole file, a paragraph (up to an empty line), or a line.",
            {.choices = {"file", "paragraph", "line"}});
    v.field("join", join,
            "Whether chunks may cross document boundaries; if false, each document is split "
            "separately.");
    v.field("document_end", document_end, "Append the end-of-text token to each document.");
    end_field(v);
    v.field("prompt_tokens", prompt_tokens,
            "Number of tokens at the start of each chunk that are excluded from the loss (MoLEx "
            "may route by them); they repeat the end of the previous chunk.",
            {.minimum = 0});
    dev_share_field(v);
    split_fields(v);
  }

  std::optional<FieldProblem> check() const override {
    if (prompt_tokens + 2 > max_length)
      return FieldProblem{"prompt_tokens", "less than max_length - 1",
                          "Lower task.prompt_tokens or raise task.max_length."};
    return std::nullopt;
  }
};

void add_document(DataSet& set, std::string text, int64_t line) {
  if (text.find_first_not_of(" \t\r\n") == text.npos) return;
  set.examples.push_back(
      {.id = static_cast<int64_t>(set.examples.size()), .line = line, .first = std::move(text)});
}

DataSet read_documents(const fs::path& path, const std::string& name, const LmConfig& config) {
  DataSet out{.name = name, .source = path.string()};
  const std::string content = read_file(path);
  const std::string_view text = checked_text(content, path.string());
  if (config.documents == "file") {
    add_document(out, std::string(text), 1);
  } else {
    std::string paragraph;
    int64_t number = 0, first = 1;
    for (const std::string_view line : split_lines(text)) {
      ++number;
      if (config.documents == "line") {
        add_document(out, std::string(line), number);
      } else if (line.find_first_not_of(" \t") == line.npos) {
        add_document(out, std::exchange(paragraph, ""), first);
        first = number + 1;
      } else {
        if (!paragraph.empty()) paragraph += '\n';
        paragraph += line;
      }
    }
    add_document(out, paragraph, first);
  }
  if (out.examples.empty())
    throw UserError(path.string(), "has no text", "Give a file with text to train on.");
  return out;
}

// Holds out the end of the only document, from the start of a line.
std::pair<DataSet, DataSet> hold_out_end(const DataSet& all, double share) {
  const std::string& text = all.examples.front().first;
  const auto wanted = static_cast<size_t>((1 - share) * static_cast<double>(text.size()));
  size_t cut = text.rfind('\n', wanted);
  if (cut == text.npos) cut = text.find('\n', wanted);
  if (cut == text.npos || cut + 1 >= text.size())
    throw UserError("task.dev_share", all.source + " is one line: nothing can be held out",
                    "Name a file with task.dev.");
  DataSet train{.name = all.name, .source = all.source}, dev{.name = "dev", .source = all.source};
  add_document(train, text.substr(0, cut + 1), 1);
  add_document(dev, text.substr(cut + 1), 0);
  return {std::move(train), std::move(dev)};
}

// Cuts a token sequence into chunks: begin tokens, then `prompt` tokens of the previous chunk, then
// new ones.
class Chunks {
 public:
  Chunks(const TextFrame& frame, const LmConfig& config, int64_t max_length)
      : begin_(frame.begin),
        prompt_(config.prompt_tokens),
        space_(max_length - static_cast<int64_t>(frame.begin.size())),
        overlap_(std::max<int64_t>(prompt_, frame.begin.empty() ? 1 : 0)) {
    if (space_ <= overlap_)
      throw UserError("task.max_length",
                      "leaves " + std::to_string(space_ - overlap_) +
                          " tokens of a chunk to train on; expected at least 1",
                      "Raise task.max_length or lower task.prompt_tokens.");
  }

  void cut(const std::vector<int32_t>& stream, std::vector<EncodedExample>& out) const {
    const auto tokens = static_cast<int64_t>(stream.size());
    for (int64_t at = 0; at == 0 || at + overlap_ < tokens; at += space_ - overlap_) {
      EncodedExample chunk;
      chunk.ids = begin_;
      const int64_t end = std::min(tokens, at + space_);
      chunk.ids.insert(chunk.ids.end(), stream.begin() + at, stream.begin() + end);
      chunk.id = static_cast<int64_t>(out.size());
      const auto length = static_cast<int64_t>(chunk.ids.size());
      if (prompt_ > 0)
        chunk.prompt = std::min(length, static_cast<int64_t>(begin_.size()) + prompt_);
      const int64_t first =
          std::max<int64_t>({1, static_cast<int64_t>(begin_.size()), chunk.prompt});
      if (first < length) {
        chunk.supervised = {{first, length}};
        out.push_back(std::move(chunk));
      }
    }
  }

 private:
  const std::vector<int32_t>& begin_;
  int64_t prompt_, space_, overlap_;
};

class LmTask final : public LanguageTask {
 public:
  explicit LmTask(LmConfig config)
      : LanguageTask("lm", config), config_(std::move(config)), files_(config_, {"txt", "text"}) {}

  std::vector<std::string> text_fields() const override { return {"text"}; }

  EncodedExamples encode_training(const Tokenizer& tokenizer, const DataSet& set,
                                  int64_t max_length) const override {
    const TextFrame frame = frame_of(tokenizer);
    const Chunks chunks(frame, config_, max_length);
    EncodedExamples out;
    std::vector<int32_t> stream;
    for (const Example& document : set.examples) {
      const std::vector<int32_t> ids = tokenizer.encode(document.first, {.add_special = false}).ids;
      stream.insert(stream.end(), ids.begin(), ids.end());
      const bool has_end = !stream.empty() && stream.back() == frame.end;
      if (config_.document_end && !has_end) stream.push_back(frame.end);
      if (config_.join) continue;
      chunks.cut(stream, out.examples);
      stream.clear();
    }
    if (!stream.empty()) chunks.cut(stream, out.examples);
    return out;
  }

 protected:
  DataSet read_train() override {
    DataSet all = read_documents(files_.train(), "train", config_);
    if (!config_.dev_share || files_.dev()) return all;
    auto [train, dev] = all.examples.size() == 1 ? hold_out_end(all, *config_.dev_share)
                                                 : hold_out(all, *config_.dev_share);
    held_out_ = std::move(dev);
    return std::move(train);
  }

  std::vector<DataSet> read_evaluation() override {
    if (const auto path = files_.dev()) return {read_documents(*path, "dev", config_)};
    if (!config_.dev_share) return {};
    train();
    return {*held_out_};
  }

  std::vector<DataSet> read_test() override {
    if (const auto path = files_.test()) return {read_documents(*path, "test", config_)};
    return {};
  }

 private:
  TextFrame frame_of(const Tokenizer& tokenizer) const {
    if (!config_.document_end) return {.begin = begin_tokens(tokenizer)};
    return text_frame(tokenizer, config_.end, "task.end");
  }

  LmConfig config_;
  TaskFiles files_;
  std::optional<DataSet> held_out_;
};

}  // namespace

void register_lm(Registry<TaskEntry>& registry) {
  registry.add({.name = "lm",
                .summary = "causal language modeling on plain text, for decoders",
                .config = [] { return std::make_unique<LmConfig>(); },
                .open = [](const TaskSetup& setup) -> std::unique_ptr<Task> {
                  return std::make_unique<LmTask>(dynamic_cast<const LmConfig&>(setup.config));
                }});
}

}  // namespace mixtune
