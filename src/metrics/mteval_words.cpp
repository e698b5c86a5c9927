// The rules of mteval-v13a.pl (NIST 2009) are regular expressions applied one after another, each
// to the result of the previous one, and so are ours. They work on bytes, because they match only
// ASCII.
#include "metrics/mteval_words.h"

#include "metrics/white_space.h"

namespace mixtune {
namespace {

bool is_decimal(char c) {
  return c >= '0' && c <= '9';
}

// ASCII punctuation and symbols except ' , - and the full stop.
bool stands_alone(char c) {
  return (c >= '{' && c <= '~') || (c >= '[' && c <= '`') || (c >= ' ' && c <= '&') ||
         (c >= '(' && c <= '+') || (c >= ':' && c <= '@') || c == '/';
}

bool is_stop(char c) {
  return c == '.' || c == ',';
}

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
    text.replace(at, from.size(), to);
}

// Line ends are ordinary white space: the scorer joins lines before it handles hyphens.
std::string plain(std::string_view text) {
  std::string out(text);
  replace_all(out, "<skipped>", "");
  replace_all(out, "&quot;", "\"");
  replace_all(out, "&amp;", "&");
  replace_all(out, "&lt;", "<");
  replace_all(out, "&gt;", ">");
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return ' ' + out + ' ';
}

std::string set_apart(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (stands_alone(c))
      out += {' ', c, ' '};
    else
      out += c;
  }
  return out;
}

// Replaces every pair of adjacent characters for which `matches` is true, left to right; a pair
// consumes both characters, so the next pair begins behind it.
template <typename Matches, typename Write>
std::string for_pairs(const std::string& text, Matches matches, Write write) {
  std::string out;
  size_t at = 0;
  while (at < text.size()) {
    if (at + 1 < text.size() && matches(text[at], text[at + 1])) {
      write(out, text[at], text[at + 1]);
      at += 2;
    } else {
      out += text[at++];
    }
  }
  return out;
}

}  // namespace

Words mteval_words(std::string_view text) {
  std::string line = set_apart(plain(text));
  line = for_pairs(
      line, [](char a, char b) { return !is_decimal(a) && is_stop(b); },
      [](std::string& out, char a, char b) {
        out += {a, ' ', b, ' '};
      });
  line = for_pairs(
      line, [](char a, char b) { return is_stop(a) && !is_decimal(b); },
      [](std::string& out, char a, char b) {
        out += {' ', a, ' ', b};
      });
  line = for_pairs(
      line, [](char a, char b) { return is_decimal(a) && b == '-'; },
      [](std::string& out, char a, char b) {
        out += {a, ' ', b, ' '};
      });
  return split_at_spaces(line);
}

}  // namespace mixtune
