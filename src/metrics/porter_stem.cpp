// Each step of the paper is a list of rules; the first rule whose suffix matches applies, even if
// its condition is not met. The measure m of a stem is the number of times a vowel is followed by a
// consonant.
#include "metrics/porter_stem.h"

#include <array>
#include <cstdint>
#include <initializer_list>
#include <utility>

#include "metrics/white_space.h"

namespace mixtune {
namespace {

using Text = std::string_view;

bool is_vowel_letter(char c) {
  return Text("aeiou").find(c) != Text::npos;
}

// 'v' or 'c' for each character, including multi-byte ones. A y is a vowel after a consonant.
std::string classes(Text stem) {
  std::string out;
  for (const char c : stem) {
    if ((static_cast<unsigned char>(c) & 0xC0) == 0x80) continue;
    out += is_vowel_letter(c) || (c == 'y' && out.ends_with('c')) ? 'v' : 'c';
  }
  return out;
}

int measure(Text stem) {
  const std::string kinds = classes(stem);
  int count = 0;
  for (size_t at = 0; (at = kinds.find("vc", at)) != std::string::npos; ++at) ++count;
  return count;
}

bool has_vowel(Text stem) {
  return classes(stem).find('v') != std::string::npos;
}

bool ends_in_double_consonant(Text stem) {
  return stem.size() >= 2 && stem.back() == stem[stem.size() - 2] && classes(stem).back() == 'c';
}

// Condition *o of the paper: consonant, vowel, consonant other than w, x and y. nltk also accepts a
// whole stem of vowel and consonant.
bool ends_in_cvc(Text stem) {
  const std::string kinds = classes(stem);
  if (kinds == "vc") return true;
  return kinds.ends_with("cvc") && Text("wxy").find(stem.back()) == Text::npos;
}

Text without(Text word, Text suffix) {
  return word.substr(0, word.size() - suffix.size());
}

std::string joined(Text stem, Text ending) {
  return std::string(stem) + std::string(ending);
}

using Condition = bool (*)(Text stem);
bool measure_above_0(Text stem) {
  return measure(stem) > 0;
}
bool measure_above_1(Text stem) {
  return measure(stem) > 1;
}

using Replacement = std::pair<Text, Text>;

std::string replace_first(Text word, std::initializer_list<Replacement> rules,
                          Condition condition) {
  for (const auto& [suffix, ending] : rules)
    if (word.ends_with(suffix)) {
      const Text stem = without(word, suffix);
      return condition(stem) ? joined(stem, ending) : std::string(word);
    }
  return std::string(word);
}

std::string step_1a(Text word) {
  if (word.ends_with("ies")) return joined(without(word, "ies"), word.size() == 4 ? "ie" : "i");
  if (word.ends_with("sses")) return joined(without(word, "sses"), "ss");
  if (word.ends_with("s") && !word.ends_with("ss")) word.remove_suffix(1);
  return std::string(word);
}

std::string step_1b(Text word) {
  if (word.ends_with("ied")) return joined(without(word, "ied"), word.size() == 4 ? "ie" : "i");
  if (word.ends_with("eed"))
    return measure(without(word, "eed")) > 0 ? joined(without(word, "eed"), "ee")
                                             : std::string(word);
  Text stem;
  for (const Text suffix : {"ed", "ing"})
    if (stem.empty() && word.ends_with(suffix) && has_vowel(without(word, suffix)))
      stem = without(word, suffix);
  if (stem.empty()) return std::string(word);
  if (stem.ends_with("at") || stem.ends_with("bl") || stem.ends_with("iz"))
    return joined(stem, "e");
  if (ends_in_double_consonant(stem))
    return std::string(Text("lsz").find(stem.back()) == Text::npos ? without(stem, "x") : stem);
  if (measure(stem) == 1 && ends_in_cvc(stem)) return joined(stem, "e");
  return std::string(stem);
}

std::string step_1c(Text word) {
  if (!word.ends_with("y")) return std::string(word);
  const Text stem = without(word, "y");
  return code_points(stem).size() > 1 && classes(stem).back() == 'c' ? joined(stem, "i")
                                                                     : std::string(word);
}

std::string step_2(Text word) {
  // nltk: -alli is handled before -bli, and the result goes through this step again.
  if (word.ends_with("alli") && measure(without(word, "alli")) > 0)
    return step_2(joined(without(word, "alli"), "al"));
  std::string out = replace_first(
      word, {{"ational", "ate"}, {"tional", "tion"}, {"enci", "ence"},   {"anci", "ance"},
             {"izer", "ize"},    {"bli", "ble"},     {"alli", "al"},     {"entli", "ent"},
             {"eli", "e"},       {"ousli", "ous"},   {"ization", "ize"}, {"ation", "ate"},
             {"ator", "ate"},    {"alism", "al"},    {"iveness", "ive"}, {"fulness", "ful"},
             {"ousness", "ous"}, {"aliti", "al"},    {"iviti", "ive"},   {"biliti", "ble"},
             {"fulli", "ful"}},
      measure_above_0);
  // nltk: the l of -logi counts as part of the stem.
  if (out == word && word.ends_with("logi") && measure(without(word, "ogi")) > 0)
    return joined(without(word, "logi"), "log");
  return out;
}

std::string step_3(Text word) {
  return replace_first(word,
                       {{"icate", "ic"},
                        {"ative", ""},
                        {"alize", "al"},
                        {"iciti", "ic"},
                        {"ical", "ic"},
                        {"ful", ""},
                        {"ness", ""}},
                       measure_above_0);
}

std::string step_4(Text word) {
  if (word.ends_with("ion")) {
    const Text stem = without(word, "ion");
    const bool fits = measure(stem) > 1 && (stem.ends_with("s") || stem.ends_with("t"));
    return std::string(fits ? stem : word);
  }
  return replace_first(word,
                       {{"al", ""},
                        {"ance", ""},
                        {"ence", ""},
                        {"er", ""},
                        {"ic", ""},
                        {"able", ""},
                        {"ible", ""},
                        {"ant", ""},
                        {"ement", ""},
                        {"ment", ""},
                        {"ent", ""},
                        {"ou", ""},
                        {"ism", ""},
                        {"ate", ""},
                        {"iti", ""},
                        {"ous", ""},
                        {"ive", ""},
                        {"ize", ""}},
                       measure_above_1);
}

std::string step_5(Text word) {
  if (word.ends_with("e")) {
    const Text stem = without(word, "e");
    const int m = measure(stem);
    if (m > 1 || (m == 1 && !ends_in_cvc(stem))) word = stem;
  }
  if (word.ends_with("ll") && measure(without(word, "l")) > 1) word.remove_suffix(1);
  return std::string(word);
}

// nltk's table of irregular forms.
constexpr std::array<Replacement, 14> kIrregular = {{{"sky", "sky"},
                                                     {"skies", "sky"},
                                                     {"dying", "die"},
                                                     {"lying", "lie"},
                                                     {"tying", "tie"},
                                                     {"news", "news"},
                                                     {"innings", "inning"},
                                                     {"inning", "inning"},
                                                     {"outings", "outing"},
                                                     {"outing", "outing"},
                                                     {"cannings", "canning"},
                                                     {"canning", "canning"},
                                                     {"howe", "howe"},
                                                     {"proceed", "proceed"}}};

}  // namespace

std::string porter_stem(std::string_view word) {
  for (const auto& [form, stem] : kIrregular)
    if (word == form) return std::string(stem);
  if (word == "exceed" || word == "succeed" || code_points(word).size() <= 2)
    return std::string(word);
  return step_5(step_4(step_3(step_2(step_1c(step_1b(step_1a(word)))))));
}

}  // namespace mixtune
