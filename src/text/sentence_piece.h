// SentencePiece models, run by the SentencePiece library, which normalizes, splits and joins text.
// Control tokens are never found in a text: "<s>" is three characters there.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/json.h"
#include "text/model.h"

namespace sentencepiece {
class SentencePieceProcessor;
}

namespace mixtune {

class SentencePieces : public TokenizerModel {
 public:
  // `bytes`: the content of `file`. Throws UserError if it is not a SentencePiece model.
  SentencePieces(const std::string& bytes, const std::string& file);
  ~SentencePieces() override;

  void cut(std::string_view word, std::vector<Piece>& pieces) const override;
  int32_t unknown() const override;

  int32_t size() const;
  std::string piece(int32_t id) const;
  bool is_control(int32_t id) const;  // has no text: <s>, </s>, <pad>
  bool has_bytes() const;             // has byte fallback for unknown characters
  int32_t bos() const;                // -1: none
  int32_t eos() const;
  int32_t pad() const;
  // Ids must be below size().
  std::string decode(const std::vector<int>& ids) const;

 private:
  std::unique_ptr<sentencepiece::SentencePieceProcessor> library_;
};

}  // namespace mixtune
