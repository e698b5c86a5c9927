// Reads the files of a tokenizer. Folders without tokenizer.json are converted to an equivalent
// tokenizer.json, so that there is a single path from files to a tokenizer.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "base/json.h"
#include "text/sentence_piece.h"
#include "text/tokenizer.h"

namespace mixtune {

struct TokenizerFolder {
  Json tokenizer;              // in the format of tokenizer.json
  std::filesystem::path file;  // for error messages
  std::map<TokenRole, std::string> roles;
  // Set if the file is a SentencePiece model: replaces the model and the decoder of `tokenizer`.
  std::unique_ptr<const SentencePieces> sentence_pieces;
};

TokenizerFolder read_tokenizer_folder(const std::filesystem::path& path);

}  // namespace mixtune
