#include "tasks/token_text.h"

#include <algorithm>

namespace mixtune {
namespace {

constexpr Tokenizer::Options kNoSpecial{.add_special = false};

bool starts_with(const std::vector<int32_t>& whole, const std::vector<int32_t>& begin) {
  return begin.size() <= whole.size() && std::equal(begin.begin(), begin.end(), whole.begin());
}

struct Supervision {
  std::vector<int32_t> ids;
  std::vector<TokenSpan> spans;
};

void append(std::vector<int32_t>& to, const std::vector<int32_t>& from, size_t first = 0) {
  to.insert(to.end(), from.begin() + static_cast<ptrdiff_t>(first), from.end());
}

Supervision join_parts(const Tokenizer& tokenizer, const std::vector<TextPart>& parts,
                       const TextFrame& frame) {
  Supervision out;
  std::string text;             // the text since the last begin or end token
  std::vector<int32_t> before;  // the ids of `text`
  for (const TextPart& part : parts) {
    if (part.begins) {
      append(out.ids, frame.begin);
      text.clear();
      before.clear();
    }
    text += part.text;
    std::vector<int32_t> whole = tokenizer.encode(text, kNoSpecial).ids;
    const auto begin = static_cast<int64_t>(out.ids.size());
    if (starts_with(whole, before))
      append(out.ids, whole, before.size());
    else
      append(out.ids, tokenizer.encode(part.text, kNoSpecial).ids);
    before = std::move(whole);
    if (part.ends) {
      if (out.ids.empty() || out.ids.back() != frame.end) out.ids.push_back(frame.end);
      text.clear();
      before.clear();
    }
    const auto end = static_cast<int64_t>(out.ids.size());
    if (part.is_supervised && end > begin) out.spans.push_back({begin, end});
  }
  return out;
}

void shift(EncodedExample& example, int64_t by) {
  for (TokenSpan& span : example.supervised) {
    span.begin += by;
    span.end += by;
  }
  example.prompt += by;
}

[[noreturn]] void reject(const std::string& where, const EncodedExample& example,
                         int64_t max_length, bool by_choice) {
  const int64_t answer = static_cast<int64_t>(example.ids.size()) - example.prompt;
  throw UserError(
      where,
      "has " + std::to_string(example.ids.size()) + " tokens, " + std::to_string(answer) +
          " of them from the first answer on; expected at most task.max_length " +
          std::to_string(max_length),
      by_choice ? "Raise task.max_length, or set task.too_long to truncate_prompt or drop."
                : "Answers are never truncated: raise task.max_length, or set task.too_long=drop.");
}

}  // namespace

std::vector<int32_t> begin_tokens(const Tokenizer& tokenizer) {
  std::vector<int32_t> out;
  const Encoding framed = tokenizer.encode("a");
  for (size_t i = 0; i < framed.ids.size() && framed.special[i]; ++i) out.push_back(framed.ids[i]);
  return out;
}

TextFrame text_frame(const Tokenizer& tokenizer, const std::optional<std::string>& end_token,
                     const std::string& key) {
  TextFrame out{.begin = begin_tokens(tokenizer)};
  const std::optional<int32_t> end =
      end_token ? tokenizer.id_of(*end_token) : tokenizer.id_of(TokenRole::kEos);
  if (!end)
    throw UserError(key,
                    end_token ? "the tokenizer has no token '" + *end_token + "'"
                              : "the tokenizer has no end-of-text token",
                    "Name the token that ends a text with task.end; a chat template needs its own "
                    "tokens in the tokenizer.");
  out.end = *end;
  return out;
}

const std::vector<std::string>& too_long_names() {
  static const std::vector<std::string> names = {"truncate_prompt", "drop", "reject"};
  return names;
}

TooLong too_long(const std::string& name) {
  const auto& names = too_long_names();
  const auto found = std::find(names.begin(), names.end(), name);
  MIXTUNE_CHECK(found != names.end(), name);
  return static_cast<TooLong>(found - names.begin());
}

EncodedExample encode_parts(const Tokenizer& tokenizer, const std::vector<TextPart>& parts,
                            const TextFrame& frame, const PartsOptions& options) {
  Supervision joined = join_parts(tokenizer, parts, frame);
  EncodedExample out;
  out.ids = std::move(joined.ids);
  out.supervised = std::move(joined.spans);
  if (!out.supervised.empty()) out.prompt = out.supervised.front().begin;
  if (!frame.begin.empty() && !starts_with(out.ids, frame.begin)) {
    out.ids.insert(out.ids.begin(), frame.begin.begin(), frame.begin.end());
    shift(out, static_cast<int64_t>(frame.begin.size()));
  }
  const auto tokens = static_cast<int64_t>(out.ids.size());
  if (options.learns_all && tokens > 1) out.supervised = {{1, tokens}};
  // The first token cannot be predicted, because no token precedes it.
  if (!out.supervised.empty() && out.supervised.front().begin == 0) {
    if (++out.supervised.front().begin == out.supervised.front().end)
      out.supervised.erase(out.supervised.begin());
  }
  return out;
}

bool truncate_prompt(EncodedExample& example, const TextFrame& frame, int64_t max_length) {
  const int64_t excess = static_cast<int64_t>(example.ids.size()) - max_length;
  if (excess <= 0) return true;
  const int64_t kept =
      starts_with(example.ids, frame.begin) ? static_cast<int64_t>(frame.begin.size()) : 0;
  const bool supervises_prompt =
      !example.supervised.empty() && example.supervised.front().begin < example.prompt;
  if (example.prompt - kept < excess || example.prompt - excess < 1) return false;
  const auto from = example.ids.begin() + static_cast<ptrdiff_t>(kept);
  example.ids.erase(from, from + static_cast<ptrdiff_t>(excess));
  shift(example, -excess);
  if (supervises_prompt) example.supervised.front().begin = 1;
  example.truncated = true;
  return true;
}

std::string example_place(const DataSet& set, size_t index) {
  const Example& example = set.examples[index];
  if (example.line > 0) return set.source + ":" + std::to_string(example.line);
  return set.source + " example " + std::to_string(example.id);
}

EncodedExamples encode_parts_set(const Tokenizer& tokenizer, const DataSet& set,
                                 const TextFrame& frame, const PartsOptions& options) {
  EncodedExamples out;
  int64_t dropped = 0;
  for (size_t i = 0; i < set.examples.size(); ++i) {
    const Example& example = set.examples[i];
    EncodedExample encoded = encode_parts(tokenizer, example.parts, frame, options);
    encoded.id = example.id;
    encoded.label = example.label;
    encoded.example_group = example.example_group;
    if (encoded.supervised.empty())
      throw UserError(example_place(set, i), "has no supervised token",
                      "Give every example a completion.");
    if (static_cast<int64_t>(encoded.ids.size()) > options.max_length) {
      if (options.too_long == TooLong::reject)
        reject(example_place(set, i), encoded, options.max_length, true);
      if (options.too_long == TooLong::drop) {
        ++dropped;
        continue;
      }
      if (!truncate_prompt(encoded, frame, options.max_length))
        reject(example_place(set, i), encoded, options.max_length, false);
    }
    out.examples.push_back(std::move(encoded));
  }
  if (dropped > 0)
    out.notes.push_back(std::to_string(dropped) + " of " + std::to_string(set.examples.size()) +
                        " examples of " + set.name + " are longer than task.max_length " +
                        std::to_string(options.max_length) + " and were left out");
  return out;
}

}  // namespace mixtune
