// The files of a tokenizer. Folders from before tokenizer.json are read as the tokenizer.json that
// says the same, so that there is one way from a file to a tokenizer.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "base/json.h"
#include "text/tokenizer.h"

namespace molt {

struct TokenizerFolder {
  Json tokenizer;              // as in tokenizer.json
  std::filesystem::path file;  // what errors name
  std::map<TokenRole, std::string> roles;
};

TokenizerFolder read_tokenizer_folder(const std::filesystem::path& path);

}  // namespace molt
