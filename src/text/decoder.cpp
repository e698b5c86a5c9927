#include "text/decoder.h"

#include <cctype>

#include "text/byte_level.h"
#include "text/metaspace.h"
#include "text/regex.h"
#include "text/unicode.h"

namespace mixtune {
namespace {

std::string joined(const std::vector<std::string>& tokens, std::string_view between) {
  std::string out;
  for (const std::string& token : tokens) {
    if (&token != tokens.data()) out += between;
    out += token;
  }
  return out;
}

std::string bytes_of_tokens(const std::vector<std::string>& tokens) {
  std::string bytes;
  for (const std::string& token : tokens) bytes += bytes_of_letters(token).value_or(token);
  return to_valid_utf8(bytes);
}

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
    text.replace(at, from.size(), to);
}

// Removes spaces before English punctuation and contractions. The order is significant.
void clean_up(std::string& text) {
  constexpr std::pair<std::string_view, std::string_view> kRules[] = {
      {" .", "."},   {" ?", "?"},     {" !", "!"},    {" ,", ","},
      {" ' ", "'"},  {" n't", "n't"}, {" 'm", "'m"},  {" do not", " don't"},
      {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"}};
  for (const auto& [from, to] : kRules) replace_all(text, from, to);
}

void join_pieces(std::vector<std::string>& tokens, const std::string& prefix, bool cleans) {
  for (size_t i = 0; i < tokens.size(); ++i) {
    if (i > 0 && tokens[i].starts_with(prefix))
      tokens[i].erase(0, prefix.size());
    else if (i > 0)
      tokens[i].insert(0, 1, ' ');
    if (cleans) clean_up(tokens[i]);
  }
}

// Replaces the visible space character by a space. In the first token it is removed, because the
// space before the text was inserted by the tokenizer.
void spaces_for_replacements(std::vector<std::string>& tokens, const Metaspace& settings) {
  for (size_t i = 0; i < tokens.size(); ++i)
    replace_all(tokens[i], settings.replacement,
                i == 0 && settings.scheme != PrependScheme::kForbidden ? "" : " ");
}

// The byte of a token like <0x0A>.
std::optional<char> byte_of(std::string_view token) {
  if (token.size() != 6 || !token.starts_with("<0x") || !token.ends_with('>')) return std::nullopt;
  token = token.substr(3, 2);
  if (token[0] == '+') token.remove_prefix(1);  // the reference library accepts a sign
  int value = 0;
  for (const char digit : token) {
    if (!std::isxdigit(static_cast<unsigned char>(digit))) return std::nullopt;
    value =
        value * 16 +
        (digit <= '9' ? digit - '0' : std::tolower(static_cast<unsigned char>(digit)) - 'a' + 10);
  }
  return static_cast<char>(value);
}

// Adjacent byte tokens become one text if they are valid UTF-8; otherwise each becomes U+FFFD.
void join_bytes(std::vector<std::string>& tokens) {
  std::vector<std::string> out;
  std::string bytes;
  const auto put_bytes = [&] {
    if (is_valid_utf8(bytes)) {
      if (!bytes.empty()) out.push_back(bytes);
    } else {
      out.insert(out.end(), bytes.size(), "\uFFFD");
    }
    bytes.clear();
  };
  for (std::string& token : tokens) {
    if (const auto byte = byte_of(token)) {
      bytes += *byte;
      continue;
    }
    put_bytes();
    out.push_back(std::move(token));
  }
  put_bytes();
  tokens = std::move(out);
}

void replace_matches(std::string& token, const Pattern& pattern, const std::string& content) {
  std::string out;
  uint32_t done = 0;
  for (const Span& match : pattern.matches(token)) {
    out.append(token, done, match.begin - done);
    out += content;
    done = match.end;
  }
  out.append(token, done);
  token = std::move(out);
}

// Removes `content` up to `start` times from the beginning of a token and `stop` times from its
// end.
void strip(std::string& token, const std::string& content, int64_t start, int64_t stop) {
  size_t begin = 0, end = token.size();
  const auto rest = [&] { return std::string_view(token).substr(begin, end - begin); };
  for (; start > 0 && rest().starts_with(content); --start) begin += content.size();
  for (; stop > 0 && rest().ends_with(content); --stop) end -= content.size();
  token = token.substr(begin, end - begin);
}

}  // namespace

Decoder::Decoder(const JsonField& field) : joins_with_spaces_(false) {
  read(field);
}

void Decoder::read(const JsonField& field) {
  using Tokens = std::vector<std::string>;
  const std::string type = field.at("type").string();
  if (type == "Sequence") {
    const JsonField list = field.at("decoders");
    for (size_t i = 0; i < list.size(); ++i) read(list.at(i));
  } else if (type == "ByteLevel") {
    steps_.push_back([](Tokens& tokens) { tokens = {bytes_of_tokens(tokens)}; });
  } else if (type == "Fuse") {
    steps_.push_back([](Tokens& tokens) { tokens = {joined(tokens, "")}; });
  } else if (type == "WordPiece") {
    steps_.push_back([prefix = field.string_or("prefix", "##"),
                      cleans = field.boolean_or("cleanup", true)](Tokens& tokens) {
      join_pieces(tokens, prefix, cleans);
    });
  } else if (type == "Metaspace") {
    steps_.push_back([settings = read_metaspace(field)](Tokens& tokens) {
      spaces_for_replacements(tokens, settings);
    });
  } else if (type == "ByteFallback") {
    steps_.push_back(join_bytes);
  } else if (type == "Replace") {
    const auto pattern = std::make_shared<const Pattern>(field.at("pattern"));
    steps_.push_back([pattern, content = field.at("content").string()](Tokens& tokens) {
      for (std::string& token : tokens) replace_matches(token, *pattern, content);
    });
  } else if (type == "Strip") {
    const std::string content = field.at("content").string();
    if (!is_valid_utf8(content) || count_code_points(content) != 1)
      field.at("content").fail("is not a single character");
    steps_.push_back([content, start = field.at("start").integer(0, INT32_MAX),
                      stop = field.at("stop").integer(0, INT32_MAX)](Tokens& tokens) {
      for (std::string& token : tokens) strip(token, content, start, stop);
    });
  } else {
    field.at("type").reject(
        type, "ByteLevel, WordPiece, Metaspace, ByteFallback, Replace, Strip, Fuse or Sequence");
  }
}

std::string Decoder::decode(std::vector<std::string> tokens) const {
  for (const Step& step : steps_) step(tokens);
  return joined(tokens, joins_with_spaces_ ? " " : "");
}

}  // namespace mixtune
