// The files of a tokenizer. Folders from before tokenizer.json are read as the tokenizer.json that
// says the same, so that there is one way from a file to a tokenizer.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "base/json.h"
#include "text/sentence_piece.h"
#include "text/tokenizer.h"

namespace mixtune {

struct TokenizerFolder {
  Json tokenizer;              // as in tokenizer.json
  std::filesystem::path file;  // what errors name
  std::map<TokenRole, std::string> roles;
  // Set where the file is a SentencePiece model: takes the place of the model of `tokenizer`, and
  // of its decoder.
  std::unique_ptr<const SentencePieces> sentence_pieces;
};

TokenizerFolder read_tokenizer_folder(const std::filesystem::path& path);

}  // namespace mixtune
