#include "tasks/classify_read.h"

#include <algorithm>
#include <cmath>

#include "base/scalars.h"
#include "files/table.h"
#include "tasks/example_groups.h"
#include "tasks/label_names.h"

namespace mixtune {
namespace {

// With more distinct labels than this the column probably holds scores or free text.
constexpr size_t kMostLabels = 1000;

std::string format_of(const ClassifyFile& file) {
  const std::vector<std::string> known = {"tsv", "csv", "jsonl", "json"};
  if (file.format) return *file.format;
  std::string ending = file.path.extension().string();
  if (!ending.empty()) ending.erase(0, 1);
  if (std::find(known.begin(), known.end(), ending) == known.end())
    throw UserError(file.path.string(),
                    "the file extension is '" + ending + "'; expected " + join_names(known, " or "),
                    "Rename the file or set task.format.");
  return ending;
}

// JSON objects may have other keys, so only the columns in use are read.
Table read_json_table(const std::string& format, const std::filesystem::path& path,
                      const std::vector<std::string>& columns) {
  return format == "jsonl" ? read_jsonl(path, columns) : read_json_list(path, columns);
}

Table read_table(const ClassifyFile& file, const ClassifyColumns& columns, ClassifyLabels kind) {
  const std::string format = format_of(file);
  if (format == "tsv") return read_tsv(file.path);
  if (format == "csv") return read_csv(file.path);
  std::vector<std::string> texts = {columns.text};
  if (columns.text_pair) texts.push_back(*columns.text_pair);
  std::vector<std::string> all = texts;
  all.push_back(columns.target);
  if (columns.example_group) all.push_back(*columns.example_group);
  if (kind != ClassifyLabels::optional) return read_json_table(format, file.path, all);
  try {
    return read_json_table(format, file.path, all);
  } catch (const UserError&) {
    // A test file in which any label is missing is read as a file without labels. Other errors
    // occur here again.
    return read_json_table(format, file.path, texts);
  }
}

class ClassifyReader {
 public:
  ClassifyReader(const ClassifyFile& file, const ClassifyColumns& columns, ClassifyLabels kind,
                 std::vector<std::string>& labels)
      : table_(read_table(file, columns, kind)), columns_(columns), kind_(kind), labels_(labels) {
    set_.name = file.set;
    set_.source = table_.source;
  }

  DataSet read() {
    const size_t text = column(columns_.text, "text");
    const std::optional<size_t> pair =
        columns_.text_pair ? std::optional(column(*columns_.text_pair, "text_pair")) : std::nullopt;
    const std::optional<size_t> target = target_column();
    if (table_.rows.empty())
      throw UserError(table_.source, "the file has no examples",
                      "Give a file with at least one row.");
    if (kind_ == ClassifyLabels::infer && !columns_.is_score) infer_labels(*target);
    int64_t empty_texts = 0;
    for (size_t row = 0; row < table_.rows.size(); ++row) {
      std::vector<std::string>& cells = table_.rows[row];
      Example example;
      example.id = static_cast<int64_t>(row);
      if (target) read_target(cells[*target], row, example);
      example.first = cells[text];
      if (pair) example.second = cells[*pair];
      empty_texts += example.first.empty() || (example.second && example.second->empty());
      set_.examples.push_back(std::move(example));
    }
    if (columns_.example_group)
      number_groups(cells_of(*columns_.example_group, "example_group"), *columns_.example_group,
                    set_);
    if (empty_texts > 0)
      set_.warnings.push_back(table_.source + ": " + std::to_string(empty_texts) +
                              " examples have an empty text");
    return std::move(set_);
  }

 private:
  std::optional<size_t> find(const std::string& name) const {
    const auto at = std::find(table_.columns.begin(), table_.columns.end(), name);
    if (at == table_.columns.end()) return std::nullopt;
    return static_cast<size_t>(at - table_.columns.begin());
  }

  size_t column(const std::string& name, const std::string& option) const {
    if (const auto at = find(name)) return *at;
    throw UserError(table_.source,
                    "there is no column '" + name + "'; found " + join_names(table_.columns),
                    "Name the column with task." + option + ".");
  }

  std::vector<std::string> cells_of(const std::string& name, const std::string& option) const {
    const size_t at = column(name, option);
    std::vector<std::string> out;
    for (const std::vector<std::string>& row : table_.rows) out.push_back(row[at]);
    return out;
  }

  std::optional<size_t> target_column() const {
    if (kind_ == ClassifyLabels::optional) return find(columns_.target);
    return column(columns_.target, columns_.is_score ? "score" : "label");
  }

  void infer_labels(size_t target) {
    std::vector<std::string> names;
    for (size_t row = 0; row < table_.rows.size(); ++row) {
      if (table_.rows[row][target].empty())
        throw UserError(table_.where(row), "the label is empty",
                        "Fill it in or leave the row out.");
      names.push_back(table_.rows[row][target]);
    }
    names = ordered_label_names(std::move(names));
    if (names.size() == 1)
      throw UserError(table_.source,
                      "found only the label '" + names[0] + "'; expected two or more",
                      "Give examples of every label.");
    if (names.size() > kMostLabels)
      throw UserError(table_.source,
                      "found " + std::to_string(names.size()) +
                          " different labels; expected at most " + std::to_string(kMostLabels),
                      "Choose the column with task.label, or task.score for numbers to predict.");
    labels_ = std::move(names);
  }

  void read_target(const std::string& text, size_t row, Example& example) const {
    if (kind_ == ClassifyLabels::optional && text.empty()) return;
    if (columns_.is_score) {
      const auto score = parse_number(text);
      if (!score || !std::isfinite(*score))
        throw UserError(table_.where(row), "the score is '" + text + "'; expected a number",
                        "Correct the row or leave it out.");
      example.score = *score;
      return;
    }
    const auto label = std::find(labels_.begin(), labels_.end(), text);
    if (label == labels_.end())
      throw UserError(table_.where(row),
                      "the label is '" + text + "'; expected one of the " +
                          std::to_string(labels_.size()) + " labels trained on",
                      suggestion(text, labels_));
    example.label = label - labels_.begin();
  }

  Table table_;
  const ClassifyColumns& columns_;
  ClassifyLabels kind_;
  std::vector<std::string>& labels_;
  DataSet set_;
};

}  // namespace

DataSet read_classify(const ClassifyFile& file, const ClassifyColumns& columns, ClassifyLabels kind,
                      std::vector<std::string>& labels) {
  return ClassifyReader(file, columns, kind, labels).read();
}

}  // namespace mixtune
