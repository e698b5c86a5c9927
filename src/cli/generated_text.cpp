#include "cli/generated_text.h"

#include <algorithm>

namespace mixtune {
namespace {

constexpr size_t kBefore = 8;  // tokens of the prompt that are decoded with each text
constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD: an incomplete character

}  // namespace

GeneratedText::GeneratedText(const Tokenizer& tokenizer, const std::vector<int32_t>& prompt,
                             std::vector<std::string> stops, std::vector<int32_t> ends,
                             SpecialTokens special)
    : tokenizer_(tokenizer),
      before_(prompt.end() - static_cast<ptrdiff_t>(std::min(kBefore, prompt.size())),
              prompt.end()),
      before_text_(tokenizer.decode(before_, special)),
      stops_(std::move(stops)),
      ends_(std::move(ends)),
      special_(special) {}

std::string GeneratedText::decoded(std::span<const int32_t> ids) const {
  if (!ids.empty() && special_ == SpecialTokens::kSkip &&
      std::find(ends_.begin(), ends_.end(), ids.back()) != ends_.end())
    ids = ids.first(ids.size() - 1);
  std::vector<int32_t> all = before_;
  all.insert(all.end(), ids.begin(), ids.end());
  const std::string text = tokenizer_.decode(all, special_);
  // If a prompt ends within a character, the tokens after it change its text.
  if (text.starts_with(before_text_)) return text.substr(before_text_.size());
  return tokenizer_.decode(ids, special_);
}

size_t GeneratedText::first_stop(const std::string& text) const {
  size_t first = std::string::npos;
  for (const std::string& stop : stops_) first = std::min(first, text.find(stop));
  return first;
}

std::string GeneratedText::text(std::span<const int32_t> ids) const {
  const std::string all = decoded(ids);
  return all.substr(0, first_stop(all));
}

bool GeneratedText::has_stop(std::span<const int32_t> ids) const {
  return !stops_.empty() && first_stop(decoded(ids)) != std::string::npos;
}

std::string GeneratedText::stable_prefix(std::span<const int32_t> ids) const {
  std::string out = text(ids);
  while (out.ends_with(kReplacement)) out.resize(out.size() - kReplacement.size());
  size_t held = 0;  // bytes at the end that begin a stop string
  for (const std::string& stop : stops_)
    for (size_t length = std::min(stop.size() - 1, out.size()); length > held; --length)
      if (std::string_view(out).ends_with(std::string_view(stop).substr(0, length))) held = length;
  out.resize(out.size() - held);
  return out;
}

}  // namespace mixtune
