// What the pre-tokenizer and the decoder Metaspace have in common: a visible character stands for
// the space, and a text gets one in front so that its first word looks like any other.
#pragma once

#include <string>

#include "text/json_field.h"

namespace mixtune {

enum class PrependScheme { kAlways, kFirst, kForbidden };

struct Metaspace {
  std::string replacement;  // one character, as a rule ▁
  PrependScheme scheme = PrependScheme::kAlways;
  bool splits = true;  // before each replacement
};

Metaspace read_metaspace(const JsonField& field);

}  // namespace mixtune
