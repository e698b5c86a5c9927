#include "text/decoder.h"

#include "text/byte_level.h"
#include "text/unicode.h"

namespace molt {
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

// English punctuation and contractions as they are written. The order counts.
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

}  // namespace

Decoder::Decoder(const JsonField& field) : joins_with_spaces_(false) {
  read(field);
}

void Decoder::read(const JsonField& field) {
  const std::string type = field.at("type").string();
  if (type == "Sequence") {
    const JsonField list = field.at("decoders");
    for (size_t i = 0; i < list.size(); ++i) read(list.at(i));
  } else if (type == "ByteLevel") {
    steps_.push_back({.kind = Kind::kByteLevel, .prefix = ""});
  } else if (type == "Fuse") {
    steps_.push_back({.kind = Kind::kFuse, .prefix = ""});
  } else if (type == "WordPiece") {
    steps_.push_back({.kind = Kind::kWordPiece,
                      .prefix = field.string_or("prefix", "##"),
                      .cleans = field.boolean_or("cleanup", true)});
  } else {
    field.at("type").refuse(type, "ByteLevel, WordPiece, Fuse or Sequence");
  }
}

std::string Decoder::decode(std::vector<std::string> tokens) const {
  for (const Step& step : steps_) {
    switch (step.kind) {
      case Kind::kByteLevel:
        tokens = {bytes_of_tokens(tokens)};
        break;
      case Kind::kFuse:
        tokens = {joined(tokens, "")};
        break;
      case Kind::kWordPiece:
        join_pieces(tokens, step.prefix, step.cleans);
        break;
    }
  }
  return joined(tokens, joins_with_spaces_ ? " " : "");
}

}  // namespace molt
