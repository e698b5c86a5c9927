#include "text/added_tokens.h"

#include <algorithm>

#include "text/unicode.h"

namespace mixtune {
namespace {

bool ends_with_word(std::string_view text) {
  if (text.empty()) return false;
  const char* at = text.data() + text.size() - 1;
  while (is_continuation(*at)) --at;
  return is_word_character(next_code_point(at));
}

bool starts_with_word(std::string_view text) {
  const char* at = text.data();
  return !text.empty() && is_word_character(next_code_point(at));
}

uint32_t space_at_end(std::string_view text) {
  size_t begin = text.size();
  while (begin > 0) {
    size_t look = begin - 1;
    while (is_continuation(text[look])) --look;
    const char* at = text.data() + look;
    if (!is_white_space(next_code_point(at))) break;
    begin = look;
  }
  return static_cast<uint32_t>(begin);
}

uint32_t space_at_start(std::string_view text) {
  const char *at = text.data(), *end = at + text.size(), *after = at;
  while (at < end && is_white_space(next_code_point(at))) after = at;
  return static_cast<uint32_t>(after - text.data());
}

AddedToken read_added_token(const JsonField& field) {
  AddedToken token;
  token.id = static_cast<int32_t>(field.at("id").integer(0, kLargestTokenId));
  token.content = field.at("content").string();
  token.single_word = field.boolean_or("single_word", false);
  token.strips_left = field.boolean_or("lstrip", false);
  token.strips_right = field.boolean_or("rstrip", false);
  token.special = field.boolean_or("special", false);
  token.normalized = field.boolean_or("normalized", !token.special);
  if (token.content.empty()) field.at("content").fail("is empty; expected the text of the token");
  return token;
}

}  // namespace

void AddedTokenFinder::add(const std::string& pattern, const AddedToken& token) {
  if (pattern.empty()) return;  // removed by the normalizer, so it is never found
  uint32_t node = 0;
  for (char letter : pattern) {
    const auto byte = static_cast<uint8_t>(letter);
    const auto [place, is_new] =
        next_.try_emplace(uint64_t{node} << 8 | byte, static_cast<uint32_t>(token_at_.size()));
    if (is_new) token_at_.push_back(-1);
    node = place->second;
  }
  may_begin_[static_cast<uint8_t>(pattern[0])] = true;
  if (token_at_[node] >= 0)
    return;  // two tokens are equal after normalization: the first one is used
  token_at_[node] = static_cast<int32_t>(tokens_.size());
  tokens_.push_back(token);
}

bool AddedTokenFinder::longest_at(std::string_view text, uint32_t begin, Match& match) const {
  bool found = false;
  uint32_t node = 0;
  for (uint32_t at = begin; at < text.size();) {
    const auto place = next_.find(uint64_t{node} << 8 | static_cast<uint8_t>(text[at]));
    if (place == next_.end()) break;
    node = place->second;
    ++at;
    if (token_at_[node] < 0) continue;
    match = {{begin, at}, &tokens_[token_at_[node]]};
    found = true;
  }
  return found;
}

std::vector<AddedTokenFinder::Part> AddedTokenFinder::parts(std::string_view text) const {
  std::vector<Part> out;
  const auto size = static_cast<uint32_t>(text.size());
  uint32_t done = 0;
  Match match;
  for (uint32_t at = 0; at < size && !empty();) {
    if (!may_begin_[static_cast<uint8_t>(text[at])] || !longest_at(text, at, match)) {
      ++at;
      continue;
    }
    at = match.span.end;
    auto [begin, end] = match.span;
    const AddedToken& token = *match.token;
    if (token.single_word &&
        (ends_with_word(text.substr(0, begin)) || starts_with_word(text.substr(end))))
      continue;
    if (token.strips_left) begin = std::max(space_at_end(text.substr(0, begin)), done);
    if (token.strips_right) end += space_at_start(text.substr(end));
    if (done < begin) out.push_back({{done, begin}, -1});
    out.push_back({{begin, end}, token.id});
    done = end;
  }
  if (done < size) out.push_back({{done, size}, -1});
  return out;
}

AddedTokens::AddedTokens(const std::optional<JsonField>& field, const Vocabulary& vocabulary,
                         const Normalizer* normalizer) {
  for (size_t i = 0; field && i < field->size(); ++i) {
    const AddedToken token = read_added_token(field->at(i));
    const int32_t known = vocabulary.find(token.content);
    if (known >= 0 && known != token.id)
      field->at(i).fail("gives \"" + token.content + "\" the id " + std::to_string(token.id) +
                        "; expected " + std::to_string(known) + " as in the vocabulary");
    if (known < 0 && vocabulary.has(token.id))
      field->at(i).fail("gives \"" + token.content + "\" the id " + std::to_string(token.id) +
                        ", which the vocabulary gives to \"" +
                        std::string(vocabulary.token(token.id)) + '"');
    const auto [place, is_new] = ids_.try_emplace(token.content, token.id);
    if (!is_new && place->second == token.id) continue;
    if (!is_new || places_.contains(token.id))
      field->at(i).fail("gives \"" + token.content + "\" the id " + std::to_string(token.id) +
                        "; an earlier entry has the same text or the same id");
    places_[token.id] = tokens_.size();
    tokens_.push_back(token);
  }
  for (AddedToken& token : tokens_) {
    token.shown = token.content;
    if (!token.normalized) {
      in_original_.add(token.content, token);
      continue;
    }
    NormalizedText text;
    text.assign(to_valid_utf8(token.content), 0);
    if (normalizer) normalizer->apply(text);
    token.shown = text.text;
    in_normalized_.add(text.text, token);
  }
  // The reference library checks whether the decoded text is that of a special token, so it does
  // not skip a token that the normalizer changes.
  for (AddedToken& token : tokens_) {
    const int32_t shown = find(token.shown);
    token.is_hidden = shown >= 0 && by_id(shown)->special;
  }
}

const AddedToken* AddedTokens::by_id(int32_t id) const {
  const auto place = places_.find(id);
  return place == places_.end() ? nullptr : &tokens_[place->second];
}

int32_t AddedTokens::find(const std::string& content) const {
  const auto place = ids_.find(content);
  return place == ids_.end() ? -1 : place->second;
}

}  // namespace mixtune
