// Decodes the token ids that were generated after a prompt: the text up to its end, and the part of
// it that can be printed during generation.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "text/tokenizer.h"

namespace mixtune {

class GeneratedText {
 public:
  // `tokenizer` is borrowed. `stops`: strings that end the text and are left out of it; `ends`: the
  // same for token ids.
  GeneratedText(const Tokenizer& tokenizer, const std::vector<int32_t>& prompt,
                std::vector<std::string> stops, std::vector<int32_t> ends, SpecialTokens special);

  // The text of the ids up to the first stop string, without an end id in the last place.
  std::string text(std::span<const int32_t> ids) const;
  bool has_stop(std::span<const int32_t> ids) const;
  // The part of text() that no further token can change: without an incomplete character and
  // without the beginning of a stop string.
  std::string stable_prefix(std::span<const int32_t> ids) const;

 private:
  std::string decoded(std::span<const int32_t> ids) const;
  size_t first_stop(const std::string& text) const;  // npos: none

  const Tokenizer& tokenizer_;
  // The last tokens of the prompt. The text is what decoding adds to theirs, so that a space at its
  // start is kept.
  std::vector<int32_t> before_;
  std::string before_text_;
  std::vector<std::string> stops_;
  std::vector<int32_t> ends_;
  SpecialTokens special_;
};

}  // namespace mixtune
