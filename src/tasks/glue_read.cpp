#include "tasks/glue_read.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <string_view>

#include "base/file.h"
#include "base/scalars.h"
#include "base/utf8.h"

namespace mixtune {
namespace {

using Cells = std::vector<std::string_view>;

Cells split(std::string_view line) {
  Cells cells;
  for (size_t begin = 0;;) {
    const size_t tab = line.find('\t', begin);
    cells.push_back(line.substr(begin, tab - begin));
    if (tab == std::string_view::npos) return cells;
    begin = tab + 1;
  }
}

bool same_name(std::string_view a, std::string_view b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) {
           return std::tolower(static_cast<unsigned char>(x)) ==
                  std::tolower(static_cast<unsigned char>(y));
         });
}

// The column of the first of `names` that exists.
std::optional<size_t> column_of(const Cells& columns, const std::vector<std::string>& names) {
  for (const std::string& name : names)
    for (size_t i = 0; i < columns.size(); ++i)
      if (same_name(columns[i], name)) return i;
  return std::nullopt;
}

struct Columns {
  size_t count = 0;
  std::vector<size_t> texts = {};
  std::optional<size_t> label = {}, id = {};
};

class GlueReader {
 public:
  GlueReader(const GlueSpec& spec, const std::filesystem::path& path, LabelsAre labels)
      : spec_(spec), path_(path.string()), labels_(labels) {}

  DataSet read(const std::string& name) {
    const std::string bytes = read_file(path_);
    std::string_view rest = bytes;
    if (rest.starts_with("\xef\xbb\xbf")) rest.remove_prefix(3);
    set_.name = name;
    set_.source = path_;
    for (int64_t line = 1; !rest.empty(); ++line) {
      const size_t end = std::min(rest.find('\n'), rest.size());
      std::string_view text = rest.substr(0, end);
      rest.remove_prefix(std::min(end + 1, rest.size()));
      if (text.ends_with('\r')) text.remove_suffix(1);
      line_ = line;
      if (const auto at = first_invalid_utf8(text))
        fail("byte " + std::to_string(*at + 1) + " of the line is not UTF-8",
             "Convert the file to UTF-8.");
      if (line == 1 && read_header(split(text))) continue;
      if (text.empty() && rest.find_first_not_of("\r\n") == std::string_view::npos) break;
      read_row(split(text));
    }
    if (set_.examples.empty())
      throw UserError(path_, "the file has no examples", "Give the complete original file.");
    finish();
    return std::move(set_);
  }

 private:
  [[noreturn]] void fail(const std::string& what, const std::string& todo) const {
    throw UserError(path_ + ':' + std::to_string(line_), what, todo);
  }

  // Returns whether the first line is a header; if it is not, it is data or an error.
  bool read_header(const Cells& cells) {
    if (match(cells)) return true;
    if (cells.size() == spec_.headerless.size() &&
        match(Cells(spec_.headerless.begin(), spec_.headerless.end())))
      return false;
    std::vector<std::string> expected;
    for (const auto& names : spec_.text_columns) expected.push_back(join_names(names, " or "));
    if (labels_ == LabelsAre::known) expected.push_back(join_names(spec_.label_columns, " or "));
    fail("found " + std::to_string(cells.size()) + " columns, '" + shortened(cells.front()) +
             "' first; expected a header line with " + join_names(expected),
         "Give the original GLUE file of " + spec_.folder + ", separated by tabs.");
  }

  bool match(const Cells& names) {
    Columns found{.count = names.size()};
    for (const auto& text : spec_.text_columns) {
      const auto column = column_of(names, text);
      if (!column) return false;
      found.texts.push_back(*column);
    }
    found.label = column_of(names, spec_.label_columns);
    if (!found.label && labels_ == LabelsAre::known) return false;
    found.id = column_of(names, {"index", "id"});
    columns_ = found;
    return true;
  }

  void read_row(const Cells& cells) {
    const int64_t id = row_++;
    if (cells.size() < columns_.count && spec_.skips_short_lines) {
      ++short_lines_;
      if (first_short_line_ == 0) first_short_line_ = line_;
      return;
    }
    if (cells.size() != columns_.count)
      fail("found " + std::to_string(cells.size()) + " columns; expected " +
               std::to_string(columns_.count),
           "Repair the line: columns are separated by one tab, and texts contain no tabs.");
    Example example;
    example.id = id;
    example.first = cells[columns_.texts[0]];
    if (columns_.texts.size() > 1) example.second = cells[columns_.texts[1]];
    if (columns_.label) read_label(cells[*columns_.label], example);
    empty_texts_ += example.first.empty() || (example.second && example.second->empty());
    set_.examples.push_back(std::move(example));
    if (columns_.id) set_.ids_text.emplace_back(cells[*columns_.id]);
  }

  void read_label(std::string_view text, Example& example) const {
    if (labels_ == LabelsAre::optional && (text.empty() || text == "-1" || text == "hidden"))
      return;
    if (spec_.label_kind == GlueLabels::scores) {
      const auto score = parse_number(text);
      if (!score || *score < 0 || *score > 5)
        fail("the score is '" + shortened(text) + "'; expected a number from 0 to 5",
             "Correct the line or leave it out.");
      example.score = *score;
      return;
    }
    const auto name = std::find(spec_.labels.begin(), spec_.labels.end(), text);
    if (name != spec_.labels.end()) {
      example.label = name - spec_.labels.begin();
    } else if (const auto number = parse_integer(text);
               spec_.label_kind == GlueLabels::numbers && number && *number >= 0 &&
               *number < static_cast<int64_t>(spec_.labels.size())) {
      example.label = *number;
    } else {
      wrong_label(text);
    }
  }

  [[noreturn]] void wrong_label(std::string_view text) const {
    std::vector<std::string> expected = spec_.labels;
    if (spec_.label_kind == GlueLabels::numbers)
      for (size_t i = 0; i < expected.size(); ++i)
        expected[i] = std::to_string(i) + " (" + expected[i] + ")";
    // A number is rejected if names are expected: which of the labels is 0 differs between copies.
    fail("the label is '" + shortened(text) + "'; expected " + join_names(expected, " or "),
         spec_.label_kind == GlueLabels::names ? "Use the name of the label."
                                               : "Correct the line or leave it out.");
  }

  static std::string shortened(std::string_view text) {
    constexpr size_t kShown = 40;
    if (text.size() <= kShown) return std::string(text);
    std::string_view head = text.substr(0, kShown);
    head =
        head.substr(0, first_invalid_utf8(head).value_or(head.size()));  // at a character boundary
    return std::string(head) + "...";
  }

  void finish() {
    if (short_lines_ > 0)
      set_.warnings.push_back(path_ + ": " + std::to_string(short_lines_) +
                              " lines with too few columns were left out, the first is line " +
                              std::to_string(first_short_line_));
    if (empty_texts_ > 0)
      set_.warnings.push_back(path_ + ": " + std::to_string(empty_texts_) +
                              " examples have an empty text");
  }

  const GlueSpec& spec_;
  std::string path_;
  LabelsAre labels_;
  Columns columns_;
  DataSet set_;
  int64_t line_ = 0, row_ = 0, short_lines_ = 0, first_short_line_ = 0, empty_texts_ = 0;
};

}  // namespace

DataSet read_glue(const GlueSpec& spec, const std::filesystem::path& path, const std::string& name,
                  LabelsAre labels) {
  return GlueReader(spec, path, labels).read(name);
}

}  // namespace mixtune
