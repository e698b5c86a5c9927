// SentencePiece models through the SentencePiece library: it normalizes, cuts and joins as the file
// asks. What is not in the vocabulary's ordinary part is never found in a text: "<s>" is three
// characters there.
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
  // `bytes`: the content of `file`. UserError where it is no SentencePiece model.
  SentencePieces(const std::string& bytes, const std::string& file);
  ~SentencePieces() override;

  void cut(std::string_view word, std::vector<Piece>& pieces) const override;
  int32_t unknown() const override;

  int32_t size() const;
  std::string piece(int32_t id) const;
  bool is_control(int32_t id) const;  // stands for nothing in a text: <s>, </s>, <pad>
  bool has_bytes() const;             // falls back to the bytes of unknown characters
  int32_t bos() const;                // -1: none
  int32_t eos() const;
  int32_t pad() const;
  // Ids below size().
  std::string decode(const std::vector<int>& ids) const;

 private:
  std::unique_ptr<sentencepiece::SentencePieceProcessor> library_;
};

}  // namespace mixtune
