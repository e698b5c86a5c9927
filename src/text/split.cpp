#include "text/split.h"

#include <algorithm>

namespace mixtune {
namespace {

struct Part {
  Span span;
  bool is_match;
};

std::vector<Part> all_parts(const std::vector<Span>& matches, uint32_t size, bool invert) {
  std::vector<Part> parts;
  uint32_t done = 0;
  for (const Span& match : matches) {
    if (done != match.begin) parts.push_back({{done, match.begin}, invert});
    parts.push_back({match, !invert});
    done = match.end;
  }
  if (done != size) parts.push_back({{done, size}, invert});
  return parts;
}

std::vector<Part> merge_contiguous(const std::vector<Part>& parts) {
  std::vector<Part> out;
  bool last = false;
  for (const Part& part : parts) {
    if (part.is_match == last && !out.empty())
      out.back().span.end = part.span.end;
    else
      out.push_back(part);
    last = part.is_match;
  }
  return out;
}

// A match is merged with the part before it, unless that is a match too.
std::vector<Part> merge_with_previous(const std::vector<Part>& parts) {
  std::vector<Part> out;
  bool last = false;
  for (const Part& part : parts) {
    if (part.is_match && !last && !out.empty())
      out.back().span.end = part.span.end;
    else
      out.push_back(part);
    last = part.is_match;
  }
  return out;
}

std::vector<Part> merge_with_next(const std::vector<Part>& parts) {
  std::vector<Part> out;
  bool last = false;
  for (auto part = parts.rbegin(); part != parts.rend(); ++part) {
    if (part->is_match && !last && !out.empty())
      out.back().span.begin = part->span.begin;
    else
      out.push_back(*part);
    last = part->is_match;
  }
  std::reverse(out.begin(), out.end());
  return out;
}

}  // namespace

SplitBehavior read_behavior(const JsonField& field) {
  const std::string name = field.string();
  if (name == "Removed") return SplitBehavior::kRemoved;
  if (name == "Isolated") return SplitBehavior::kIsolated;
  if (name == "MergedWithPrevious") return SplitBehavior::kMergedWithPrevious;
  if (name == "MergedWithNext") return SplitBehavior::kMergedWithNext;
  if (name == "Contiguous") return SplitBehavior::kContiguous;
  field.reject(name, "Removed, Isolated, MergedWithPrevious, MergedWithNext or Contiguous");
}

void split(const std::vector<Span>& matches, uint32_t size, SplitBehavior behavior, bool invert,
           uint32_t base, std::vector<Span>& out) {
  std::vector<Part> parts = all_parts(matches, size, invert);
  if (behavior == SplitBehavior::kContiguous) parts = merge_contiguous(parts);
  if (behavior == SplitBehavior::kMergedWithPrevious) parts = merge_with_previous(parts);
  if (behavior == SplitBehavior::kMergedWithNext) parts = merge_with_next(parts);
  for (const Part& part : parts) {
    if (part.span.begin == part.span.end) continue;
    if (behavior == SplitBehavior::kRemoved && part.is_match) continue;
    out.push_back({base + part.span.begin, base + part.span.end});
  }
}

}  // namespace mixtune
