#include "tasks/e2e_read.h"

#include <algorithm>
#include <cctype>
#include <optional>
#include <set>
#include <string_view>
#include <unordered_map>

#include "base/error.h"
#include "base/file.h"
#include "base/utf8.h"
#include "files/json_lines.h"
#include "files/table.h"
#include "files/text_lines.h"

namespace mixtune {
namespace {

enum class Layout { csv, tsv, pairs, json, lines };

// Column names in the challenge's files and in the outputs of systems.
const std::vector<std::string> kMeaning = {"mr", "src", "source", "meaning",
                                           "meaning_representation"};
const std::vector<std::string> kText = {"ref",    "reference",     "output", "sys_out",
                                        "system", "system_output", "text",   "target"};

std::string_view trimmed(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == text.npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1);
}

// A cell of a TSV file; read_tsv keeps its quotes. A text that merely begins and ends with a
// quotation is not a quoted cell: its inner quotes are not doubled.
std::string unquoted(std::string_view cell) {
  cell = trimmed(cell);
  if (cell.size() < 2 || !cell.starts_with('"') || !cell.ends_with('"')) return std::string(cell);
  std::string out;
  const std::string_view inner = cell.substr(1, cell.size() - 2);
  for (size_t i = 0; i < inner.size(); ++i) {
    if (inner[i] == '"' && (i + 1 == inner.size() || inner[++i] != '"')) return std::string(cell);
    out += inner[i];
  }
  return std::string(trimmed(out));
}

std::optional<size_t> column_of(const std::vector<std::string>& columns,
                                const std::vector<std::string>& names) {
  for (size_t i = 0; i < columns.size(); ++i) {
    std::string name = unquoted(columns[i]);
    for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    if (std::find(names.begin(), names.end(), name) != names.end()) return i;
  }
  return std::nullopt;
}

bool is_header(std::string_view line, char separator) {
  std::vector<std::string> cells;
  for (size_t begin = 0; begin <= line.size();) {
    const size_t end = std::min(line.find(separator, begin), line.size());
    cells.emplace_back(line.substr(begin, end - begin));
    begin = end + 1;
  }
  return cells.size() > 1 && column_of(cells, kMeaning) && column_of(cells, kText);
}

bool is_json_object(std::string_view line) {
  return Json::parse(line, nullptr, false).is_object();
}

// A file's text and its lines, which are views into it.
class LinesOf {
 public:
  explicit LinesOf(const std::filesystem::path& path)
      : source_(path.string()), content_(read_file(path)) {
    lines_ = split_lines(checked_text(content_, source_));
    if (lines_.empty()) throw UserError(source_, "is empty; expected texts", "Check the path.");
  }
  LinesOf(const LinesOf&) = delete;
  LinesOf& operator=(const LinesOf&) = delete;

  const std::vector<std::string_view>& lines() const { return lines_; }
  std::string at(size_t line) const { return source_ + ':' + std::to_string(line + 1); }

  Layout layout() const {
    const std::string ending = std::filesystem::path(source_).extension().string();
    if (ending == ".jsonl" || is_json_object(lines_[0])) return Layout::json;
    if (ending == ".tsv" || is_header(lines_[0], '\t')) return Layout::tsv;
    if (ending == ".csv" || is_header(lines_[0], ',')) return Layout::csv;
    return lines_[0].find("||") == lines_[0].npos ? Layout::lines : Layout::pairs;
  }

 private:
  std::string source_, content_;
  std::vector<std::string_view> lines_;
};

size_t need_column(const Table& table, const std::vector<std::string>& names,
                   const std::string& what) {
  if (const auto column = column_of(table.columns, names)) return *column;
  throw UserError(table.source,
                  "has no column of " + what + "; found " + join_names(table.columns) +
                      ", expected " + join_names(names, " or "),
                  "Give the file a header line with such a name.");
}

enum class Quotes { plain, maybe_quoted };

std::vector<E2ePair> pairs_of(const Table& table, Quotes cells) {
  const size_t meaning = need_column(table, kMeaning, "meanings");
  const size_t text = need_column(table, kText, "texts");
  const auto cell = [&](size_t row, size_t column) {
    const std::string& text = table.rows[row][column];
    return cells == Quotes::plain ? std::string(trimmed(text)) : unquoted(text);
  };
  std::vector<E2ePair> out;
  for (size_t row = 0; row < table.rows.size(); ++row) {
    out.push_back({cell(row, meaning), cell(row, text), table.lines[row]});
    if (out.back().meaning.empty())
      throw UserError(table.where(row), "has an empty meaning",
                      "Fill it in or leave the line out.");
  }
  if (out.empty())
    throw UserError(table.source, "has a header line and nothing else",
                    "Give a file with at least one text.");
  return out;
}

std::vector<E2ePair> pairs_of(const LinesOf& file) {
  std::vector<E2ePair> out;
  for (size_t i = 0; i < file.lines().size(); ++i) {
    const std::string_view line = file.lines()[i];
    const size_t bar = line.find("||");
    if (bar == line.npos)
      throw UserError(file.at(i), "has no \"||\"; expected meaning||text",
                      "Put each pair on a line of its own.");
    out.push_back({std::string(trimmed(line.substr(0, bar))),
                   std::string(trimmed(line.substr(bar + 2))), static_cast<int64_t>(i) + 1});
    if (out.back().meaning.empty())
      throw UserError(file.at(i), "has an empty meaning; expected meaning||text",
                      "Fill it in or leave the line out.");
  }
  return out;
}

std::vector<E2ePair> read_pairs(const std::filesystem::path& path, const LinesOf& file) {
  switch (file.layout()) {
    case Layout::csv:
      return pairs_of(read_csv(path), Quotes::plain);
    case Layout::tsv:
      return pairs_of(read_tsv(path), Quotes::maybe_quoted);
    case Layout::pairs:
      return pairs_of(file);
    case Layout::json:
    case Layout::lines:
      break;
  }
  throw UserError(file.at(0),
                  "is neither a header like mr,ref nor meaning||text; expected one of them",
                  "Name the columns, or put meaning||text on each line.");
}

// Reads a file with texts only. Without empty lines each text is the only reference of its output.
std::vector<E2eGroup> groups_of(const LinesOf& file) {
  std::vector<E2eGroup> out(1);
  for (size_t i = 0; i < file.lines().size(); ++i) {
    const std::string_view text = trimmed(file.lines()[i]);
    if (out.back().line == 0) out.back().line = static_cast<int64_t>(i) + 1;
    if (text.empty())
      out.emplace_back();
    else
      out.back().texts.emplace_back(text);
  }
  if (out.back().texts.empty()) out.pop_back();
  if (out.size() != 1) return out;
  std::vector<E2eGroup> singles;
  for (size_t i = 0; i < out[0].texts.size(); ++i)
    singles.push_back(
        {.meaning = {}, .texts = {out[0].texts[i]}, .line = out[0].line + static_cast<int64_t>(i)});
  return singles;
}

// Reads the output of `mixtune generate`: objects with "text" and, for prompts of a task,
// "meaning".
E2eOutputs outputs_in_json(const std::filesystem::path& path) {
  E2eOutputs out;
  read_json_lines(path, [&](const Json& object, int64_t line) {
    const std::string where = path.string() + ':' + std::to_string(line);
    const auto text_of = [&](const std::string& key) {
      const auto found = object.find(key);
      if (found == object.end() || !found->is_string())
        throw UserError(where, "has no text '" + key + "'",
                        "Give each line a \"text\", and each or none a \"meaning\".");
      return std::string(trimmed(found->get_ref<const std::string&>()));
    };
    out.texts.push_back(text_of("text"));
    out.lines.push_back(line);
    if (object.contains("meaning") || !out.meanings.empty())
      out.meanings.push_back(text_of("meaning"));
    if (!out.meanings.empty() && out.meanings.size() != out.texts.size())
      throw UserError(where, "has a 'meaning', and the lines before it have none",
                      "Give each line a \"meaning\", or none.");
  });
  return out;
}

// At most 60 bytes for an error message, cut at a character boundary.
std::string shortened(std::string_view text) {
  constexpr size_t kShown = 60;
  if (text.size() <= kShown) return std::string(text);
  std::string_view head = text.substr(0, kShown);
  head = head.substr(0, first_invalid_utf8(head).value_or(head.size()));
  return std::string(head) + "...";
}

}  // namespace

std::string reference_meaning(const std::string& meaning) {
  std::string out;
  for (size_t at = 0; at < meaning.size();) {
    const size_t open = meaning.find('[', at), close = meaning.find(']', at);
    if (open == meaning.npos || close == meaning.npos || close < open) return meaning;
    std::string slot = meaning.substr(at, open - at);
    if (slot == "eatType") slot = "Type";
    if (slot == "priceRange") slot = "price";
    if (slot == "familyFriendly") slot = "family friendly";
    out += (out.empty() ? "" : " | ") + slot + " : " + meaning.substr(open + 1, close - open - 1);
    at = std::min(meaning.find_first_not_of(", ", close + 1), meaning.size());
  }
  return out;
}

std::vector<E2ePair> read_e2e_pairs(const std::filesystem::path& path) {
  return read_pairs(path, LinesOf(path));
}

std::vector<E2eGroup> group_by_meaning(const std::vector<E2ePair>& pairs) {
  std::vector<E2eGroup> out;
  std::unordered_map<std::string, size_t> places;
  for (const E2ePair& pair : pairs) {
    const auto [place, is_new] = places.try_emplace(pair.meaning, out.size());
    if (is_new) out.push_back({.meaning = pair.meaning, .texts = {}, .line = pair.line});
    out[place->second].texts.push_back(pair.text);
  }
  return out;
}

std::vector<E2eGroup> read_e2e_references(const std::filesystem::path& path) {
  const LinesOf file(path);
  return file.layout() == Layout::lines ? groups_of(file)
                                        : group_by_meaning(read_pairs(path, file));
}

E2eOutputs read_e2e_outputs(const std::filesystem::path& path) {
  const LinesOf file(path);
  E2eOutputs out;
  const Layout layout = file.layout();
  if (layout == Layout::json) return outputs_in_json(path);
  if (layout == Layout::csv || layout == Layout::tsv) {
    for (E2ePair& pair : read_pairs(path, file)) {
      out.meanings.push_back(std::move(pair.meaning));
      out.texts.push_back(std::move(pair.text));
      out.lines.push_back(pair.line);
    }
    return out;
  }
  for (size_t i = 0; i < file.lines().size(); ++i) {
    out.texts.emplace_back(trimmed(file.lines()[i]));
    out.lines.push_back(static_cast<int64_t>(i) + 1);
  }
  return out;
}

std::vector<const E2eGroup*> align_e2e(const std::vector<E2eGroup>& references,
                                       const std::filesystem::path& references_path,
                                       const E2eOutputs& outputs,
                                       const std::filesystem::path& outputs_path) {
  if (references.size() != outputs.texts.size())
    throw UserError(outputs_path.string(),
                    "has " + std::to_string(outputs.texts.size()) + " outputs; expected " +
                        std::to_string(references.size()) + ", one for each meaning in " +
                        references_path.string(),
                    "Give one output for each, empty ones included.");
  std::vector<const E2eGroup*> out;
  const bool by_meaning = !outputs.meanings.empty() && !references[0].meaning.empty();
  if (!by_meaning) {
    for (const E2eGroup& group : references) out.push_back(&group);
    return out;
  }
  // Meanings may be spelled as in the references or as in the pairs files; outputs generated for
  // the challenge's CSV have the latter spelling.
  std::unordered_map<std::string, const E2eGroup*> groups;
  for (const E2eGroup& group : references) groups.emplace(group.meaning, &group);
  for (const E2eGroup& group : references) groups.emplace(reference_meaning(group.meaning), &group);
  std::set<const E2eGroup*> seen;
  for (size_t i = 0; i < outputs.texts.size(); ++i) {
    const std::string& meaning = outputs.meanings[i];
    const auto where = [&] {
      return outputs_path.string() + ':' + std::to_string(outputs.lines[i]);
    };
    const auto found = groups.find(meaning);
    if (found == groups.end())
      throw UserError(where(),
                      "no reference in " + references_path.string() + " has its meaning '" +
                          shortened(meaning) + "'",
                      "Give the references that these outputs were generated for.");
    if (!seen.insert(found->second).second)
      throw UserError(where(), "the meaning '" + shortened(meaning) + "' occurs twice",
                      "Give one output for each meaning.");
    out.push_back(found->second);
  }
  return out;
}

}  // namespace mixtune
