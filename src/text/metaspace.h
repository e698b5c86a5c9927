// Shared settings of the Metaspace pre-tokenizer and decoder: a visible character replaces the
// space, and one is prepended to a text so that its first word is tokenized like any other.
#pragma once

#include <string>

#include "text/json_field.h"

namespace mixtune {

enum class PrependScheme { kAlways, kFirst, kForbidden };

struct Metaspace {
  std::string replacement;  // one character, usually ▁
  PrependScheme scheme = PrependScheme::kAlways;
  bool splits = true;  // splits before each replacement
};

Metaspace read_metaspace(const JsonField& field);

}  // namespace mixtune
