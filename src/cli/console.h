// Formats numbers, bars and tables for a terminal. This file uses no libtorch and prints nothing.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mixtune {

std::string count_text(int64_t count);      // "1,234,567"
std::string bytes_text(int64_t bytes);      // "1.4 GB"; powers of 1000
std::string duration_text(double seconds);  // "2:31", "1:02:31"

// `share` from 0 to 1 as `width` columns, in eighths of a column.
std::string bar_text(double share, int width);

// A table with aligned columns: the first one to the left, the others to the right unless
// align_left() is called. Widths count code points, not bytes.
class ConsoleTable {
 public:
  explicit ConsoleTable(std::vector<std::string> header) : rows_{std::move(header)} {}
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  void align_left(size_t column) { left_.push_back(column); }
  size_t size() const { return rows_.size() - 1; }

  // Header, rule and rows, each with a line end. An empty header omits header and rule.
  std::string text() const;

 private:
  std::vector<std::vector<std::string>> rows_;  // the header first
  std::vector<size_t> left_ = {0};
};

}  // namespace mixtune
