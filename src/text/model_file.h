// `tokenizer.model`: a SentencePiece model (LLaMA 2, Mistral, Gemma) or a vocabulary of tiktoken
// (LLaMA 3), told apart by what is in it.
#pragma once

#include "text/tokenizer_folder.h"

namespace mixtune {

// Fills all of `out` but the roles that it holds already. `config`: tokenizer_config.json, whose
// added_tokens_decoder, add_bos_token and add_eos_token count; `extra`: added_tokens.json.
void read_model_file(const std::filesystem::path& file, const JsonField& config,
                     const JsonField& extra, TokenizerFolder& out);

}  // namespace mixtune
