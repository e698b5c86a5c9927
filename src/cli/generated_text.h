// The text of token ids that are written behind a prompt: where it ends, and what of it can be
// shown while it grows.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "text/tokenizer.h"

namespace mixtune {

class GeneratedText {
 public:
  // `tokenizer` is borrowed. `stops`: texts that end it and do not belong to it. `ends`: ids that
  // do the same.
  GeneratedText(const Tokenizer& tokenizer, const std::vector<int32_t>& prompt,
                std::vector<std::string> stops, std::vector<int32_t> ends, SpecialTokens special);

  // What the ids say, up to the first stop; without an end id at their end.
  std::string text(std::span<const int32_t> ids) const;
  bool has_stop(std::span<const int32_t> ids) const;
  // What of it no further token can change: neither half a character nor the beginning of a stop.
  std::string settled(std::span<const int32_t> ids) const;

 private:
  std::string decoded(std::span<const int32_t> ids) const;
  size_t first_stop(const std::string& text) const;  // npos where there is none

  const Tokenizer& tokenizer_;
  // The last tokens of the prompt: a text is what they gain, so that a space at its start is kept.
  std::vector<int32_t> before_;
  std::string before_text_;
  std::vector<std::string> stops_;
  std::vector<int32_t> ends_;
  SpecialTokens special_;
};

}  // namespace mixtune
