// Legend: P mixed layers, L candidate layers.
#include "cli/routing_chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/error.h"
#include "cli/console.h"
#include "tensor/tensor_file.h"

namespace mixtune {
namespace {

// A cell such as " ▓▓ 62" with one of five shades. A layer that was never chosen is a dot, one that
// was chosen in less than 0.5 % of the cases has "<1".
std::string cell(int64_t chosen, int64_t total) {
  static const char* const shades[] = {"  ", "░░", "▒▒", "▓▓", "██"};
  if (total == 0 || chosen == 0) return "    · ";
  const double share = static_cast<double>(chosen) / static_cast<double>(total);
  const int shade = share >= 0.8 ? 4 : share >= 0.5 ? 3 : share >= 0.2 ? 2 : share >= 0.02 ? 1 : 0;
  const std::string percent = share < 0.005 ? "<1" : fmt::format("{:.0f}", 100 * share);
  return fmt::format(" {}{:>3}", shades[shade], percent);
}

std::vector<double> numbers(const Tensor& tensor) {
  const Tensor flat = tensor.to(at::kDouble).contiguous().view({-1});
  return {flat.const_data_ptr<double>(), flat.const_data_ptr<double>() + flat.numel()};
}

// Orders names by the values of the numbers in them: layer 2 comes before layer 10.
bool comes_before(const std::string& a, const std::string& b) {
  size_t i = 0, j = 0;
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  while (i < a.size() && j < b.size()) {
    if (digit(a[i]) && digit(b[j])) {
      size_t m = i, n = j;
      while (m < a.size() && digit(a[m])) ++m;
      while (n < b.size() && digit(b[n])) ++n;
      if (m - i != n - j) return m - i < n - j;
      const int order = a.compare(i, m - i, b, j, n - j);
      if (order != 0) return order < 0;
      i = m;
      j = n;
    } else if (a[i] != b[j]) {
      return a[i] < b[j];
    } else {
      ++i;
      ++j;
    }
  }
  return a.size() - i < b.size() - j;
}

std::vector<ExpertCounts> read_experts(const NamedTensors& tensors, const std::string& file) {
  static const std::string suffix = ".load";
  std::vector<ExpertCounts> out;
  for (const auto& [name, load] : tensors) {
    if (!name.ends_with(suffix)) continue;
    ExpertCounts one;
    one.site = name.substr(0, name.size() - suffix.size());
    const Tensor* routing = find_tensor(tensors, one.site + ".routing");
    if (load.dim() != 1 || routing == nullptr || routing->numel() != 3)
      throw UserError(file, "has " + name + " without " + one.site + ".routing [3]",
                      "Name a run of a method with a router.");
    one.load = numbers(load);
    const std::vector<double> values = numbers(*routing);
    one.tokens = values[0];
    one.entropy = values[1];
    one.all_experts = values[2];
    out.push_back(std::move(one));
  }
  std::sort(out.begin(), out.end(), [](const ExpertCounts& a, const ExpertCounts& b) {
    return comes_before(a.site, b.site);
  });
  return out;
}

// "  mlp.up_proj  3.41  ████ 83 %   41 %  ▓▓ 52 ...".
std::string expert_chart(const std::vector<ExpertCounts>& experts) {
  size_t widest = 6, most = 0;
  for (const ExpertCounts& one : experts) {
    widest = std::max(widest, one.site.size());
    most = std::max(most, one.load.size());
  }
  std::string out = fmt::format(
      "Experts of each linear layer (used: mean per token; 0, 1, ...: % of tokens)\n\n"
      "  {:<{}}  used  entropy       all experts",
      "linear", widest);
  for (size_t e = 0; e < most; ++e) out += fmt::format("{:>6}", e);
  out += "\n";
  for (const ExpertCounts& one : experts) {
    const double tokens = std::max(one.tokens, 1.0);
    const double used = std::accumulate(one.load.begin(), one.load.end(), 0.0) / tokens;
    out += fmt::format("  {:<{}}  {:4.2f}  {} {:3.0f} %      {:3.0f} %", one.site, widest, used,
                       bar_text(one.entropy, 8), 100 * one.entropy, 100 * one.all_experts);
    for (const double load : one.load) out += cell(std::llround(load), std::llround(tokens));
    out += "\n";
  }
  return out;
}

}  // namespace

std::optional<RoutingCounts> read_routing(const std::filesystem::path& run) {
  const auto path = run / "routing.safetensors";
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return std::nullopt;
  const NamedTensors tensors = read_tensors(path);
  const Tensor* choices = find_tensor(tensors, "choices");  // [P, L]
  const Tensor* entropy = find_tensor(tensors, "entropy");  // [P], mean over tokens, nats
  RoutingCounts out;
  out.experts = read_experts(tensors, path.string());
  if (choices == nullptr && !out.experts.empty()) return out;
  if (choices == nullptr || choices->dim() != 2)
    throw UserError(path.string(), "has no tensor 'choices' [layers, layers]",
                    "Name a run of a method with a router.");
  const int64_t mixed = choices->size(0), layers = choices->size(1);
  const Tensor counts = choices->to(at::kLong).contiguous();
  for (int64_t p = 0; p < mixed; ++p) {
    const int64_t* row = counts.const_data_ptr<int64_t>() + p * layers;
    out.choices.emplace_back(row, row + layers);
  }
  out.entropy.assign(static_cast<size_t>(mixed), std::numeric_limits<double>::quiet_NaN());
  if (entropy != nullptr && entropy->numel() == mixed) {
    const Tensor means = entropy->to(at::kDouble).contiguous();
    out.entropy.assign(means.const_data_ptr<double>(), means.const_data_ptr<double>() + mixed);
  }
  return out;
}

std::string routing_chart(const RoutingCounts& counts) {
  if (counts.choices.empty()) return counts.experts.empty() ? "" : expert_chart(counts.experts);
  const size_t layers = counts.choices.front().size();
  std::string out =
      "Layer that each layer was mixed with (% of choices, the layer itself in brackets)\n\n";
  out += "           ";
  for (size_t b = 0; b < layers; ++b) out += fmt::format("{:>6} ", b);
  out += "  entropy of the router\n";
  for (size_t p = 0; p < counts.choices.size(); ++p) {
    const auto& row = counts.choices[p];
    const int64_t total = std::accumulate(row.begin(), row.end(), int64_t{0});
    out += fmt::format("  layer {:<2}{}", p, p == 0 ? "[" : " ");
    for (size_t b = 0; b < layers; ++b)
      out += cell(row[b], total) + (b == p ? "]" : b + 1 == p ? "[" : " ");
    if (total == 0)
      out += "   not mixed";
    else if (!std::isnan(counts.entropy[p]) && layers > 1) {
      const double share = counts.entropy[p] / std::log(static_cast<double>(layers));
      out += fmt::format("  {} {:3.0f} %", bar_text(share, 12), 100 * share);
    }
    out += "\n";
  }
  return counts.experts.empty() ? out : out + "\n" + expert_chart(counts.experts);
}

}  // namespace mixtune
