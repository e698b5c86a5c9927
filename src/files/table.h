// Data files as tables of texts: TSV in GLUE's layout, CSV, JSON lines, JSON lists. What the
// columns mean is the caller's business; that every row has them is checked here.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace mixtune {

struct Table {
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows;  // each as long as columns
  std::vector<int64_t> lines;  // where each row begins, from 1; in a JSON list its number
  std::string source;

  // The place of a column; UserError with the nearest name.
  size_t column(const std::string& name) const;
  // "data/train.tsv:12", for errors about a row.
  std::string where(size_t row) const;
};

// Tab-separated without quoting: a quote is a character like any other. With `columns` the file has
// no header line and these names stand for it; otherwise the first line is the header.
Table read_tsv(const std::filesystem::path& path, const std::vector<std::string>& columns = {});

// RFC 4180: fields in quotes may hold commas, line breaks and doubled quotes.
Table read_csv(const std::filesystem::path& path, const std::vector<std::string>& columns = {});

// One object on each line, or one list of objects. `columns` are the keys to take (others are left
// alone); without them, those of the first object. Values must be texts, numbers, true or false;
// all but texts come in their JSON spelling.
Table read_jsonl(const std::filesystem::path& path, std::vector<std::string> columns = {});
Table read_json_list(const std::filesystem::path& path, std::vector<std::string> columns = {});

}  // namespace mixtune
