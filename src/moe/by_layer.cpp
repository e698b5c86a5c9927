#include "moe/by_layer.h"

#include <algorithm>
#include <array>

#include "base/error.h"
#include "base/scalars.h"

namespace mixtune {
namespace {

constexpr int64_t kQuarters = 4, kMost = 4096;

struct Allocation {
  const char* name;
  std::array<int64_t, kQuarters> experts;
};

constexpr Allocation kAllocations[] = {{"triangle", {8, 6, 4, 2}},
                                       {"inverted_triangle", {2, 4, 6, 8}},
                                       {"hourglass", {8, 2, 2, 8}},
                                       {"rectangle", {5, 5, 5, 5}}};

const Allocation* find_allocation(const std::string& text) {
  for (const Allocation& one : kAllocations)
    if (text == one.name) return &one;
  return nullptr;
}

// "4" or "[2, 4]"; nullopt if it is neither or a number is out of range.
std::optional<std::vector<int64_t>> numbers_of(const std::string& text) {
  std::string body = text;
  const bool is_list = text.size() >= 2 && text.front() == '[' && text.back() == ']';
  if (is_list) body = text.substr(1, text.size() - 2);
  std::vector<int64_t> out;
  for (size_t begin = 0; begin <= body.size();) {
    const size_t end = std::min(body.find(',', begin), body.size());
    std::string item = body.substr(begin, end - begin);
    item.erase(0, item.find_first_not_of(' '));
    item.erase(item.find_last_not_of(' ') + 1);
    const auto value = parse_integer(item);
    if (!value || *value < 1 || *value > kMost) return std::nullopt;
    out.push_back(*value);
    begin = end + 1;
  }
  if (!is_list && out.size() != 1) return std::nullopt;
  return out;
}

}  // namespace

const std::vector<std::string>& allocation_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> out;
    for (const Allocation& one : kAllocations) out.emplace_back(one.name);
    return out;
  }();
  return names;
}

std::optional<std::string> experts_expected(const std::string& text) {
  if (find_allocation(text) || numbers_of(text)) return std::nullopt;
  return "a number from 1 to " + std::to_string(kMost) + ", a list with one per layer, or " +
         join_names(allocation_names());
}

std::optional<std::string> numbers_expected(const std::string& text) {
  if (numbers_of(text)) return std::nullopt;
  return "a number from 1 to " + std::to_string(kMost) + ", or a list with one per layer";
}

std::vector<int64_t> by_layer(const std::string& text, int64_t layers, const std::string& where) {
  std::vector<int64_t> out;
  if (const Allocation* allocation = find_allocation(text)) {
    for (int64_t l = 0; l < layers; ++l)
      out.push_back(allocation->experts[static_cast<size_t>(l * kQuarters / layers)]);
    return out;
  }
  out = numbers_of(text).value();
  if (text.front() != '[') return std::vector<int64_t>(static_cast<size_t>(layers), out[0]);
  if (static_cast<int64_t>(out.size()) != layers)
    throw UserError(where,
                    "has " + std::to_string(out.size()) + " numbers; the model has " +
                        std::to_string(layers) + " layers",
                    "Give one number, or a list with one per layer.");
  return out;
}

}  // namespace mixtune
