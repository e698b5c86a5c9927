#include "text/post_processor.h"

#include <algorithm>

#include "text/unicode.h"
#include "text/vocabulary.h"

namespace mixtune {
namespace {

constexpr int64_t kMostTypes = 1 << 16;

TemplateItem special(int32_t id, int32_t type_id) {
  return {.sequence = -1, .ids = {id}, .type_id = type_id};
}

TemplateItem sequence(int which, int32_t type_id) {
  return {.sequence = which, .ids = {}, .type_id = type_id};
}

// ["[SEP]", 102]
int32_t read_pair_id(const JsonField& field) {
  if (!field.is_list() || field.size() != 2)
    field.fail("is not a token with its id, such as [\"[SEP]\", 102]");
  return static_cast<int32_t>(field.at(1).integer(0, kLargestTokenId));
}

std::vector<int32_t> read_special(const JsonField& all, const std::string& name) {
  const JsonField ids = all.at(name).at("ids");
  std::vector<int32_t> out;
  for (size_t i = 0; i < ids.size(); ++i)
    out.push_back(static_cast<int32_t>(ids.at(i).integer(0, kLargestTokenId)));
  return out;
}

Template read_template(const JsonField& field, const JsonField& whole, int sequences) {
  Template out;
  int seen[2] = {0, 0};
  for (size_t i = 0; i < field.size(); ++i) {
    const JsonField item = field.at(i);
    TemplateItem read;
    if (const auto text = item.find("Sequence")) {
      const std::string id = text->at("id").string();
      if (id != "A" && id != "B") text->at("id").fail("is \"" + id + "\"; expected A or B");
      read.sequence = id == "A" ? 0 : 1;
      ++seen[read.sequence];
      read.type_id = static_cast<int32_t>(text->at("type_id").integer(0, kMostTypes));
    } else if (const auto token = item.find("SpecialToken")) {
      read.ids = read_special(whole.at("special_tokens"), token->at("id").string());
      read.type_id = static_cast<int32_t>(token->at("type_id").integer(0, kMostTypes));
    } else {
      item.fail("is neither a Sequence nor a SpecialToken");
    }
    out.push_back(std::move(read));
  }
  if (seen[0] != 1 || seen[1] != sequences - 1)
    field.fail(sequences == 1 ? "does not use A once and B never"
                              : "does not use A and B once each");
  return out;
}

SpaceTrimming trimming(const JsonField& field) {
  return {.keeps_first = field.boolean_or("add_prefix_space", true)};
}

void read_into(const JsonField& field, PostProcessor& out, bool& has_template) {
  const std::string type = field.at("type").string();
  if (type == "Sequence") {
    const JsonField list = field.at("processors");
    for (size_t i = 0; i < list.size(); ++i) read_into(list.at(i), out, has_template);
    return;
  }
  if (type == "ByteLevel") {
    if (field.boolean_or("trim_offsets", true)) out.trimmings.push_back(trimming(field));
    return;
  }
  if (type != "TemplateProcessing" && type != "BertProcessing" && type != "RobertaProcessing")
    field.at("type").reject(
        type, "Sequence, ByteLevel, TemplateProcessing, BertProcessing or RobertaProcessing");
  if (has_template) field.at("type").reject("a second template", "one template");
  has_template = true;
  if (type == "TemplateProcessing") {
    out.single = read_template(field.at("single"), field, 1);
    out.pair = read_template(field.at("pair"), field, 2);
    return;
  }
  const int32_t cls = read_pair_id(field.at("cls")), sep = read_pair_id(field.at("sep"));
  if (type == "BertProcessing") {
    out.single = {special(cls, 0), sequence(0, 0), special(sep, 0)};
    out.pair = {special(cls, 0), sequence(0, 0), special(sep, 0), sequence(1, 1), special(sep, 1)};
    return;
  }
  out.single = {special(cls, 0), sequence(0, 0), special(sep, 0)};
  out.pair = {special(cls, 0), sequence(0, 0), special(sep, 0),
              special(sep, 0), sequence(1, 0), special(sep, 0)};
  if (field.boolean_or("trim_offsets", true)) out.trimmings.push_back(trimming(field));
}

}  // namespace

PostProcessor read_post_processor(const JsonField& field) {
  PostProcessor out;
  bool has_template = false;
  read_into(field, out, has_template);
  return out;
}

int64_t special_count(const Template& pattern) {
  int64_t count = 0;
  for (const TemplateItem& item : pattern) count += static_cast<int64_t>(item.ids.size());
  return count;
}

TokenSpaces spaces_of(std::string_view token) {
  constexpr uint32_t kSpaceLetter = 0x120;  // the space in the byte-level alphabet
  size_t leading = 0, trailing = 0, count = 0;
  for (const char *at = token.data(), *end = at + token.size(); at < end; ++count) {
    const uint32_t c = next_code_point(at);
    const bool is_space = c == kSpaceLetter || is_white_space(c);
    if (is_space && leading == count) ++leading;
    trailing = is_space ? trailing + 1 : 0;
  }
  const auto limited = [](size_t n) { return static_cast<uint8_t>(std::min<size_t>(n, 255)); };
  return {limited(leading), limited(trailing)};
}

Span trimmed(Span offsets, TokenSpaces spaces, bool is_first, SpaceTrimming trimming) {
  if (spaces.leading > 0) {
    // A single space at the start was inserted by the tokenizer; several were in the text.
    const bool was_put =
        trimming.keeps_first && spaces.leading == 1 && (is_first || offsets.begin == 0);
    if (!was_put) offsets.begin = std::min(offsets.begin + spaces.leading, offsets.end);
  }
  if (spaces.trailing > 0 && offsets.end >= spaces.trailing)
    offsets.end = std::max(offsets.end - spaces.trailing, offsets.begin);
  return offsets;
}

}  // namespace mixtune
