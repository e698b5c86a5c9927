// Makes one pass over each part of the text without white space. Punctuation that coco-caption
// removes (. , : ; ? ! - -- ... and quotes) is not output; it only separates words.
#include "metrics/coco_words.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstddef>
#include <utility>

#include "metrics/white_space.h"

namespace mixtune {
namespace {

using Replacement = std::pair<std::string_view, std::string_view>;

// Symbols that are neither ASCII nor letters, with their replacements. Empty: removed.
constexpr std::array<Replacement, 13> kSymbols = {{{"\u00A3", "#"},
                                                   {"\u20AC", "$"},
                                                   {"\u00A2", "cents"},
                                                   {"\u2018", ""},
                                                   {"\u201C", ""},
                                                   {"\u201D", ""},
                                                   {"\u00AB", ""},
                                                   {"\u00BB", ""},
                                                   {"\u2013", ""},
                                                   {"\u2014", ""},
                                                   {"\u2026", ""},
                                                   {"\u00B0", "\u00B0"},
                                                   {"\u2022", "\u2022"}}};

constexpr std::array<Replacement, 6> kBrackets = {{{"(", "-lrb-"},
                                                   {")", "-rrb-"},
                                                   {"[", "-lsb-"},
                                                   {"]", "-rsb-"},
                                                   {"{", "-lcb-"},
                                                   {"}", "-rcb-"}}};

// Words that are split in two in the Penn Treebank, and the size of the first part.
constexpr std::array<std::pair<std::string_view, size_t>, 8> kPairs = {{{"cannot", 3},
                                                                        {"gonna", 3},
                                                                        {"gotta", 3},
                                                                        {"wanna", 3},
                                                                        {"gimme", 3},
                                                                        {"lemme", 3},
                                                                        {"'twas", 2},
                                                                        {"'tis", 2}}};

constexpr std::array<std::string_view, 6> kClitics = {"'s", "'m", "'d", "'re", "'ve", "'ll"};

// Abbreviations keep their full stop, and so do single letters.
constexpr std::array<std::string_view, 38> kAbbreviations = {
    "mr",  "mrs", "ms",  "dr",  "st",   "prof", "rev", "gen", "sen",  "rep",  "gov", "hon", "jr",
    "sr",  "inc", "ltd", "co",  "corp", "bros", "vs",  "etc", "ave",  "blvd", "rd",  "mt",  "ph.d",
    "jan", "feb", "mar", "apr", "jun",  "jul",  "aug", "sep", "sept", "oct",  "nov", "dec"};

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// Letters of any script; the bytes of a multi-byte character count as letters.
bool is_letter(char c) {
  return std::isalpha(static_cast<unsigned char>(c)) || static_cast<unsigned char>(c) >= 0x80;
}

bool is_upper(char c) {
  return c >= 'A' && c <= 'Z';
}

std::string lowered(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (is_upper(c)) c = static_cast<char>(c - 'A' + 'a');
  return out;
}

class ChunkReader {
 public:
  ChunkReader(std::string_view chunk, Words& out) : chunk_(chunk), out_(out) {}

  void read() {
    if (is_address()) return;
    while (at_ < chunk_.size()) {
      if (symbol() || bracket() || number() || word() || apostrophe()) continue;
      other();
    }
  }

 private:
  char peek(size_t ahead = 0) const {
    return at_ + ahead < chunk_.size() ? chunk_[at_ + ahead] : '\0';
  }
  std::string_view rest() const { return chunk_.substr(at_); }
  const Replacement* symbol_at(size_t at) const {
    for (const Replacement& symbol : kSymbols)
      if (chunk_.substr(at).starts_with(symbol.first)) return &symbol;
    return nullptr;
  }
  bool is_word_at(size_t at) const {
    if (at >= chunk_.size() || symbol_at(at) || apostrophe_at(at) > 0) return false;
    return is_letter(chunk_[at]) || is_digit(chunk_[at]) || chunk_[at] == '_';
  }
  void write(std::string_view word) { out_.push_back(lowered(word)); }
  void take(size_t size) {
    write(chunk_.substr(at_, size));
    at_ += size;
  }

  // Web and mail addresses are one word, without punctuation at their end.
  bool is_address() {
    const size_t mail = chunk_.find('@');
    const bool is_mail = mail != 0 && mail != std::string_view::npos &&
                         chunk_.find('.', mail) != std::string_view::npos;
    if (!is_mail && !chunk_.starts_with("http://") && !chunk_.starts_with("https://") &&
        !chunk_.starts_with("www."))
      return false;
    write(chunk_.substr(0, chunk_.find_last_not_of(".,;:?!)'\"") + 1));
    return true;
  }

  bool symbol() {
    const Replacement* found = symbol_at(at_);
    if (!found) return false;
    if (!found->second.empty()) write(found->second);
    at_ += found->first.size();
    return true;
  }

  bool bracket() {
    for (const auto& [bracket, name] : kBrackets)
      if (peek() == bracket[0]) {
        write(name);
        ++at_;
        return true;
      }
    return false;
  }

  // Matches -25, .5, ,5 and +5 at the beginning of a token, and 10.50, 1,000, 3:30 and 1/2 after
  // the sign.
  bool number() {
    const bool is_signed = std::string_view("-+.,").find(peek()) != std::string_view::npos &&
                           is_digit(peek(1)) && !(at_ > 0 && chunk_[at_ - 1] == '-');
    if (!is_signed) return false;
    size_t end = at_ + 1;
    while (end < chunk_.size() &&
           (is_digit(chunk_[end]) || (is_number_link(chunk_[end]) && is_digit_at(end + 1))))
      ++end;
    take(end - at_);
    return true;
  }

  bool is_digit_at(size_t at) const { return at < chunk_.size() && is_digit(chunk_[at]); }
  static bool is_number_link(char c) { return c == '.' || c == ',' || c == ':' || c == '/'; }

  // Whether the character at `end` (not a word character itself) continues the word before it.
  bool links(size_t begin, size_t end) const {
    if (end + 1 >= chunk_.size() || !is_word_at(end + 1)) return false;
    const char c = chunk_[end], before = chunk_[end - 1], after = chunk_[end + 1];
    if (c == '-') return true;
    if (is_digit(before) && is_digit(after)) return is_number_link(c);
    if (c == '.' || c == '/') return is_letter(before) && is_letter(after);
    if (c == '&' || c == '+')
      return is_upper(after) && std::all_of(chunk_.begin() + static_cast<std::ptrdiff_t>(begin),
                                            chunk_.begin() + static_cast<std::ptrdiff_t>(end),
                                            [](char x) { return is_upper(x) || x == '&'; });
    return false;
  }

  bool word() {
    if (!is_word_at(at_)) return false;
    size_t end = at_;
    while (is_word_at(end) || (end < chunk_.size() && links(at_, end))) ++end;
    if (with_apostrophe(end) || two_words(lowered(chunk_.substr(at_, end - at_)), end)) return true;
    if (end < chunk_.size() && chunk_[end] == '.' && keeps_stop(chunk_.substr(at_, end - at_), end))
      ++end;
    take(end - at_);
    return true;
  }

  // The size in bytes of the apostrophe at `at`, straight or curved; 0 if there is none.
  size_t apostrophe_at(size_t at) const {
    if (chunk_.substr(at).starts_with("\u2019")) return 3;
    return at < chunk_.size() && chunk_[at] == '\'' ? 1 : 0;
  }

  // Handles n't, the clitics and names like o'neil.
  bool with_apostrophe(size_t end) {
    const size_t mark = apostrophe_at(end);
    if (mark == 0) return false;
    size_t tail_end = end + mark;
    while (is_word_at(tail_end) && is_letter(chunk_[tail_end])) ++tail_end;
    const std::string tail = "'" + lowered(chunk_.substr(end + mark, tail_end - end - mark));
    const std::string head = lowered(chunk_.substr(at_, end - at_));
    if (tail == "'t" && head.ends_with('n')) {
      if (head.size() > 1) write(head.substr(0, head.size() - 1));
      write("n't");
    } else if (std::find(kClitics.begin(), kClitics.end(), tail) != kClitics.end()) {
      write(head);
      write(tail);
    } else if (tail.size() > 1 && (head == "o" || head == "d" || head == "l")) {
      write(head + tail);
    } else {
      return false;
    }
    at_ = tail_end;
    return true;
  }

  bool two_words(const std::string& whole, size_t end) {
    for (const auto& [pair, first] : kPairs)
      if (whole == pair) {
        write(whole.substr(0, first));
        write(whole.substr(first));
        at_ = end;
        return true;
      }
    return false;
  }

  // True for "St.", "L.", "p.m.", and a stop directly followed by other punctuation.
  bool keeps_stop(std::string_view word, size_t stop) const {
    if (!std::all_of(word.begin(), word.end(), [](char c) { return is_letter(c) || c == '.'; }))
      return false;
    const char next = stop + 1 < chunk_.size() ? chunk_[stop + 1] : '\0';
    if (next == ',' || next == ';' || next == ':') return true;
    if (std::find(kAbbreviations.begin(), kAbbreviations.end(), lowered(word)) !=
        kAbbreviations.end())
      return true;
    for (size_t i = 0; i < word.size(); ++i)  // single letters between stops
      if ((i % 2 == 1) != (word[i] == '.') || static_cast<unsigned char>(word[i]) >= 0x80)
        return false;
    return word.size() % 2 == 1;
  }

  // An apostrophe without a word before it: clitics such as 's are words, '90s is a year, others
  // are quotes.
  bool apostrophe() {
    const size_t mark = apostrophe_at(at_);
    if (mark == 0) return false;
    size_t end = at_ + mark;
    while (is_word_at(end)) ++end;
    const std::string whole = "'" + lowered(chunk_.substr(at_ + mark, end - at_ - mark));
    const bool is_year = whole.size() >= 3 && is_digit(whole[1]) && is_digit(whole[2]);
    if (is_year || whole == "'em" ||
        std::find(kClitics.begin(), kClitics.end(), whole) != kClitics.end()) {
      write(whole);
      at_ = end;
      return true;
    }
    if (!two_words(whole, end)) at_ += mark;
    return true;
  }

  void other() {
    for (const auto& [entity, character] :
         {Replacement{"&amp;", "&"}, Replacement{"&lt;", "<"}, Replacement{"&gt;", ">"}})
      if (rest().starts_with(entity)) {
        write(character);
        at_ += entity.size();
        return;
      }
    const char c = peek();
    const size_t end = std::min(rest().find_first_not_of("?!"), rest().size());
    if (end > 1) return take(end);  // "!!" is not in the list of removed punctuation
    if (c == '*') return take(std::min(rest().find_first_not_of('*'), rest().size()));
    if (std::string_view(".,:;?!-\"`").find(c) != std::string_view::npos) {
      ++at_;
    } else if ((c == '@' || c == '#') && is_letter(peek(1)) && is_word_at(at_ + 1)) {
      size_t tag_end = at_ + 1;
      while (is_word_at(tag_end)) ++tag_end;
      take(tag_end - at_);
    } else {
      take(1);
    }
  }

  std::string_view chunk_;
  Words& out_;
  size_t at_ = 0;
};

}  // namespace

Words coco_words(std::string_view text) {
  Words out;
  for (const std::string& chunk : split_at_spaces(text)) ChunkReader(chunk, out).read();
  return out;
}

}  // namespace mixtune
