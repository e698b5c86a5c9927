// Reads `tokenizer.model`: a SentencePiece model (LLaMA 2, Mistral, Gemma) or a tiktoken vocabulary
// (LLaMA 3), distinguished by content.
#pragma once

#include "text/tokenizer_folder.h"

namespace mixtune {

// Fills all of `out` except the roles that are already set. `config`: tokenizer_config.json, of
// which added_tokens_decoder, add_bos_token and add_eos_token are used; `extra`: added_tokens.json.
void read_model_file(const std::filesystem::path& file, const JsonField& config,
                     const JsonField& extra, TokenizerFolder& out);

}  // namespace mixtune
