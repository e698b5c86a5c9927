// Data files as tables of strings: TSV in GLUE's layout, CSV, JSON lines, JSON lists. The reader
// checks that every row has all columns; their meaning is defined by the caller.
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
  std::vector<int64_t> lines;  // first line of each row, from 1; index in a JSON list
  std::string source;

  // The index of a column. Throws UserError with the nearest name.
  size_t column(const std::string& name) const;
  // "data/train.tsv:12", for errors about a row.
  std::string where(size_t row) const;
};

// Tab-separated without quoting: a quote is an ordinary character. With `columns` the file has no
// header line and these are its column names; otherwise the first line is the header.
Table read_tsv(const std::filesystem::path& path, const std::vector<std::string>& columns = {});

// RFC 4180: fields in quotes may contain commas, line breaks and doubled quotes.
Table read_csv(const std::filesystem::path& path, const std::vector<std::string>& columns = {});

// One object per line, or one list of objects. `columns` are the keys to read (others are ignored);
// without them, the keys of the first object. Values must be strings, numbers or booleans; all but
// strings are returned in their JSON spelling.
Table read_jsonl(const std::filesystem::path& path, std::vector<std::string> columns = {});
Table read_json_list(const std::filesystem::path& path, std::vector<std::string> columns = {});

}  // namespace mixtune
