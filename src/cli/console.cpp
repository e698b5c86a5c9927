#include "cli/console.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace mixtune {
namespace {

size_t columns_of(std::string_view text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;  // not a continuation byte of UTF-8
  }));
}

}  // namespace

std::string count_text(int64_t count) {
  std::string out = std::to_string(count);
  const int64_t first = count < 0 ? 1 : 0;
  for (int64_t at = static_cast<int64_t>(out.size()) - 3; at > first; at -= 3)
    out.insert(static_cast<size_t>(at), 1, ',');
  return out;
}

std::string bytes_text(int64_t bytes) {
  const char* const units[] = {"B", "kB", "MB", "GB", "TB"};
  double value = static_cast<double>(bytes);
  size_t unit = 0;
  while (value >= 999.5 && unit < 4) value /= 1000, ++unit;
  const int decimals = unit < 3 || value >= 99.5 ? 0 : 1;
  return fmt::format("{:.{}f} {}", value, decimals, units[unit]);
}

std::string duration_text(double seconds) {
  if (!std::isfinite(seconds) || seconds < 0) return "-";
  const auto whole = static_cast<int64_t>(std::llround(seconds));
  const int64_t hours = whole / 3600, minutes = whole / 60 % 60;
  return hours > 0 ? fmt::format("{}:{:02}:{:02}", hours, minutes, whole % 60)
                   : fmt::format("{}:{:02}", minutes, whole % 60);
}

std::string bar_text(double share, int width) {
  static const char* const parts[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  const int eighths = static_cast<int>(std::lround(std::clamp(share, 0.0, 1.0) * width * 8));
  std::string out;
  for (int i = 0; i < eighths / 8; ++i) out += "█";
  out += parts[eighths % 8];
  out.append(static_cast<size_t>(width - (eighths + 7) / 8), ' ');
  return out;
}

std::string ConsoleTable::text() const {
  std::vector<size_t> widths;
  for (const auto& row : rows_)
    for (size_t c = 0; c < row.size(); ++c) {
      if (c == widths.size()) widths.push_back(0);
      widths[c] = std::max(widths[c], columns_of(row[c]));
    }
  std::string out;
  for (size_t r = 0; r < rows_.size(); ++r) {
    if (r == 0 && rows_[0].empty()) continue;
    std::string line;
    for (size_t c = 0; c < rows_[r].size(); ++c) {
      const std::string padding(widths[c] - columns_of(rows_[r][c]), ' ');
      const bool is_left = std::find(left_.begin(), left_.end(), c) != left_.end();
      line += (c == 0 ? "" : "  ") + (is_left ? rows_[r][c] + padding : padding + rows_[r][c]);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
    if (r > 0) continue;
    for (size_t c = 0; c < widths.size(); ++c) {
      if (c > 0) out += "  ";
      for (size_t i = 0; i < widths[c]; ++i) out += "─";
    }
    out += "\n";
  }
  return out;
}

}  // namespace mixtune
