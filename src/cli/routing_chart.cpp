// Legend: P positions, B blocks.
#include "cli/routing_chart.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <numeric>

#include "base/error.h"
#include "cli/console.h"
#include "tensor/tensor_file.h"

namespace molt {
namespace {

// "  62 ██": five shades; a block that was never chosen is a dot, one chosen now and then shows
// "<1".
std::string cell(int64_t chosen, int64_t total) {
  static const char* const shades[] = {"  ", "░░", "▒▒", "▓▓", "██"};
  if (total == 0 || chosen == 0) return "    · ";
  const double share = static_cast<double>(chosen) / static_cast<double>(total);
  const int shade = share >= 0.8 ? 4 : share >= 0.5 ? 3 : share >= 0.2 ? 2 : share >= 0.02 ? 1 : 0;
  const std::string percent = share < 0.005 ? "<1" : fmt::format("{:.0f}", 100 * share);
  return fmt::format(" {}{:>3}", shades[shade], percent);
}

}  // namespace

std::optional<RoutingCounts> read_routing(const std::filesystem::path& run) {
  const auto path = run / "routing.safetensors";
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return std::nullopt;
  const NamedTensors tensors = read_tensors(path);
  const Tensor* choices = find_tensor(tensors, "choices");  // [P, B]
  const Tensor* entropy = find_tensor(tensors, "entropy");  // [P], mean over tokens, nats
  if (choices == nullptr || choices->dim() != 2)
    throw UserError(path.string(), "has no tensor 'choices' [positions, blocks]",
                    "Name a run of a method that routes.");
  const int64_t positions = choices->size(0), blocks = choices->size(1);
  const Tensor counts = choices->to(at::kLong).contiguous();
  RoutingCounts out;
  for (int64_t p = 0; p < positions; ++p) {
    const int64_t* row = counts.const_data_ptr<int64_t>() + p * blocks;
    out.choices.emplace_back(row, row + blocks);
  }
  out.entropy.assign(static_cast<size_t>(positions), std::numeric_limits<double>::quiet_NaN());
  if (entropy != nullptr && entropy->numel() == positions) {
    const Tensor means = entropy->to(at::kDouble).contiguous();
    out.entropy.assign(means.const_data_ptr<double>(), means.const_data_ptr<double>() + positions);
  }
  return out;
}

std::string routing_chart(const RoutingCounts& counts) {
  if (counts.choices.empty()) return "";
  const size_t blocks = counts.choices.front().size();
  std::string out =
      "Which block each layer was mixed with (% of choices, own block in brackets)\n\n";
  out += "           ";
  for (size_t b = 0; b < blocks; ++b) out += fmt::format("{:>6} ", b);
  out += "  entropy of the gate\n";
  for (size_t p = 0; p < counts.choices.size(); ++p) {
    const auto& row = counts.choices[p];
    const int64_t total = std::accumulate(row.begin(), row.end(), int64_t{0});
    out += fmt::format("  layer {:<2}{}", p, p == 0 ? "[" : " ");
    for (size_t b = 0; b < blocks; ++b)
      out += cell(row[b], total) + (b == p ? "]" : b + 1 == p ? "[" : " ");
    if (total == 0)
      out += "   not mixed";
    else if (!std::isnan(counts.entropy[p]) && blocks > 1) {
      const double share = counts.entropy[p] / std::log(static_cast<double>(blocks));
      out += fmt::format("  {} {:3.0f} %", bar_text(share, 12), 100 * share);
    }
    out += "\n";
  }
  return out;
}

}  // namespace molt
