#include "files/table.h"

#include "base/error.h"
#include "base/file.h"
#include "files/text_lines.h"

namespace mixtune {
namespace {

using Row = std::vector<std::string>;

// The first row added is the header if no columns are given.
class TableBuilder {
 public:
  TableBuilder(const std::filesystem::path& path, const std::vector<std::string>& columns) {
    table_.source = path.string();
    table_.columns = columns;
  }

  void add(Row row, int64_t line) {
    if (table_.columns.empty()) {
      set_header(std::move(row), line);
      return;
    }
    if (row.size() != table_.columns.size())
      throw UserError(at(line),
                      "has " + std::to_string(row.size()) + " fields; expected " +
                          std::to_string(table_.columns.size()) + " (" +
                          join_names(table_.columns) + ")",
                      "Correct the line, or name the columns of the file.");
    table_.rows.push_back(std::move(row));
    table_.lines.push_back(line);
  }

  Table take() {
    if (table_.columns.empty())
      throw UserError(table_.source, "is empty; expected a header line", "Check the path.");
    return std::move(table_);
  }

  std::string at(int64_t line) const { return table_.source + ':' + std::to_string(line); }

 private:
  void set_header(Row row, int64_t line) {
    for (size_t i = 0; i < row.size(); ++i)
      for (size_t j = 0; j < i; ++j)
        if (row[i] == row[j])
          throw UserError(at(line), "names the column \"" + row[i] + "\" twice",
                          "Rename one of them.");
    table_.columns = std::move(row);
  }

  Table table_;
};

Row split_tabs(std::string_view line) {
  Row row;
  for (size_t begin = 0; begin <= line.size();) {
    const size_t end = std::min(line.find('\t', begin), line.size());
    row.emplace_back(line.substr(begin, end - begin));
    begin = end + 1;
  }
  return row;
}

// Reads CSV records one by one; `next` returns false at the end of the text.
class CsvReader {
 public:
  CsvReader(std::string_view text, const TableBuilder& place) : text_(text), place_(place) {}

  int64_t line() const { return line_; }

  bool next(Row& row) {
    row.clear();
    if (at_ == text_.size()) return false;
    while (true) {
      row.push_back(is_at('"') ? in_quotes() : plain());
      if (!is_at(',')) break;
      ++at_;
    }
    end_of_record();
    return true;
  }

 private:
  bool is_at(char c) const { return at_ < text_.size() && text_[at_] == c; }

  [[noreturn]] void fail(int64_t line, const std::string& what, const std::string& todo) const {
    throw UserError(place_.at(line), what, todo);
  }

  std::string plain() {
    const size_t end = std::min(text_.find_first_of(",\"\n", at_), text_.size());
    if (end < text_.size() && text_[end] == '"')
      fail(line_, "has a quote inside a field that does not begin with one",
           "Put the whole field in quotes and double the quote.");
    std::string_view field = text_.substr(at_, end - at_);
    const bool ends_record = end == text_.size() || text_[end] == '\n';
    at_ = end;
    if (ends_record && field.ends_with('\r')) field.remove_suffix(1);
    return std::string(field);
  }

  std::string in_quotes() {
    const int64_t first_line = line_;
    std::string field;
    for (++at_;; ++at_) {
      if (at_ == text_.size())
        fail(first_line, "opens a quote that is never closed",
             "Close it, or double a literal quote.");
      if (text_[at_] == '\n') ++line_;
      if (text_[at_] != '"') {
        field += text_[at_];
      } else if (at_ + 1 < text_.size() && text_[at_ + 1] == '"') {
        field += '"';
        ++at_;
      } else {
        break;
      }
    }
    ++at_;
    const std::string_view rest = text_.substr(at_, 2);
    if (!rest.empty() && rest[0] != ',' && rest[0] != '\n' && rest != "\r\n" && rest != "\r")
      fail(line_, "continues after a closing quote",
           "Put the whole field in quotes and double the quotes inside it.");
    return field;
  }

  void end_of_record() {
    if (is_at('\r')) ++at_;
    if (is_at('\n')) ++at_;
    ++line_;
  }

  std::string_view text_;
  const TableBuilder& place_;
  size_t at_ = 0;
  int64_t line_ = 1;
};

}  // namespace

size_t Table::column(const std::string& name) const {
  for (size_t i = 0; i < columns.size(); ++i)
    if (columns[i] == name) return i;
  throw UserError(source, "has no column \"" + name + '"', suggestion(name, columns));
}

std::string Table::where(size_t row) const {
  return source + ':' + std::to_string(lines.at(row));
}

Table read_tsv(const std::filesystem::path& path, const std::vector<std::string>& columns) {
  const std::string content = read_file(path);
  TableBuilder builder(path, columns);
  int64_t number = 0;
  for (std::string_view line : split_lines(checked_text(content, path.string())))
    builder.add(split_tabs(line), ++number);
  return builder.take();
}

Table read_csv(const std::filesystem::path& path, const std::vector<std::string>& columns) {
  const std::string content = read_file(path);
  TableBuilder builder(path, columns);
  CsvReader reader(checked_text(content, path.string()), builder);
  Row row;
  for (int64_t line = reader.line(); reader.next(row); line = reader.line()) builder.add(row, line);
  return builder.take();
}

}  // namespace mixtune
