// All components of one tokenizer.json and their order: added tokens, normalizer, pre-tokenizers,
// model, truncation, post-processor.
#pragma once

#include <map>
#include <memory>

#include "text/added_tokens.h"
#include "text/decoder.h"
#include "text/model.h"
#include "text/post_processor.h"
#include "text/pre_tokenizer.h"
#include "text/sentence_piece.h"
#include "text/tokenizer.h"
#include "text/workspace.h"

namespace mixtune {

class Pipeline {
 public:
  // `roles`: tokens by role, from a folder's configuration; may be empty. `pieces`: replaces the
  // file's model and decoder; may be null.
  Pipeline(const JsonField& file, const std::map<TokenRole, std::string>& roles,
           std::unique_ptr<const SentencePieces> pieces);

  Encoding encode(std::string_view first, std::optional<std::string_view> second,
                  const Tokenizer::Options& options) const;
  std::string decode(std::span<const int32_t> ids, SpecialTokens special) const;

  int64_t vocab_size() const { return static_cast<int64_t>(spaces_.size()); }
  int32_t find(std::string_view token) const;  // -1: absent
  std::string token(int32_t id) const;
  bool is_special(int32_t id) const;
  std::optional<int32_t> role(TokenRole role) const;

 private:
  // The tokens of one text, before truncation and without special tokens.
  struct Sequence {
    std::vector<int32_t> ids;
    std::vector<Span> offsets;  // in the requested unit; spaces are trimmed
    // Spaces that added tokens include, by index in ids.
    std::vector<std::pair<size_t, TokenSpaces>> added_spaces;
  };
  Sequence tokenize(std::string_view text, OffsetUnit unit) const;
  void add_text(NormalizedText& text, Workspace& work, Sequence& out, OffsetUnit unit) const;
  void trim(Sequence& sequence) const;
  std::string decode_pieces(std::span<const int32_t> ids, SpecialTokens special) const;
  void find_roles(const std::map<TokenRole, std::string>& names);
  void check_ids(const JsonField& file) const;

  Vocabulary vocabulary_;
  std::unique_ptr<const Normalizer> normalizer_;  // may be null
  AddedTokens added_;
  PreTokenizers pre_tokenizers_;
  std::unique_ptr<const TokenizerModel> model_;
  const SentencePieces* pieces_ = nullptr;  // the model, if it is one of the SentencePiece library
  PostProcessor post_processor_;
  Decoder decoder_;
  std::vector<TokenSpaces> spaces_;  // by id
  std::map<TokenRole, int32_t> roles_;
  mutable WorkspacePool workspaces_;
};

}  // namespace mixtune
