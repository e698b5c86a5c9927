// Converts text to ids and back as specified by the files of a pre-trained model: WordPiece (BERT),
// byte-level BPE (RoBERTa, GPT-2, LLaMA 3, Qwen), BPE over characters (LLaMA 2), Unigram (T5).
// Every component of the file is supported exactly or rejected by name, never approximated, because
// slightly wrong ids silently degrade training.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "text/encoding.h"

namespace mixtune {

enum class Truncation { kLongestFirst, kOnlyFirst, kOnlySecond };
enum class OffsetUnit { kNone, kCodePoints, kBytes };
enum class SpecialTokens { kKeep, kSkip };

// The role of a special token. The token for a role comes from tokenizer_config.json or
// special_tokens_map.json, else from the conventional names of the model family.
enum class TokenRole { kCls, kSep, kPad, kUnk, kBos, kEos, kMask };

class Pipeline;

// Immutable after loading: any number of threads may encode with one tokenizer.
class Tokenizer {
 public:
  // Loads a tokenizer.json, a SentencePiece or tiktoken file (*.model), or a folder that contains
  // tokenizer.json, else vocab.txt, else vocab.json + merges.txt (encoder.json + vocab.bpe in
  // GPT-2's first release), else tokenizer.model. Throws UserError for files that are missing,
  // malformed or not supported.
  static Tokenizer load(const std::filesystem::path& path);

  // These replace the truncation and padding settings of tokenizer.json.
  struct Options {
    bool add_special = true;
    std::optional<int64_t> max_length = std::nullopt;  // includes special tokens
    Truncation truncation = Truncation::kLongestFirst;
    OffsetUnit offsets = OffsetUnit::kNone;
  };

  // Invalid UTF-8 is read as U+FFFD, one per maximal invalid part; byte offsets then refer to the
  // repaired text. Throws UserError if max_length leaves no room, or if the text to truncate is too
  // short.
  Encoding encode(std::string_view text, const Options& options) const;
  Encoding encode(std::string_view text) const { return encode(text, Options()); }

  // Encodes a pair. An empty second text still gets its separator, as in the reference library;
  // transformers treats an empty string as no second text: call the function above then.
  Encoding encode(std::string_view first, std::string_view second, const Options& options) const;

  // Ids without a token are skipped.
  std::string decode(std::span<const int32_t> ids,
                     SpecialTokens special = SpecialTokens::kSkip) const;

  // One more than the largest id.
  int64_t vocab_size() const;
  std::optional<int32_t> id_of(std::string_view token) const;
  // The token as spelled in the file ("Ġthe", "##ing"); empty for an id without a token.
  std::string token_of(int32_t id) const;
  bool is_special(int32_t id) const;
  std::optional<int32_t> id_of(TokenRole role) const;

  ~Tokenizer();
  Tokenizer(Tokenizer&&) noexcept;
  Tokenizer& operator=(Tokenizer&&) noexcept;

 private:
  explicit Tokenizer(std::unique_ptr<const Pipeline> pipeline);
  std::unique_ptr<const Pipeline> pipeline_;
};

}  // namespace mixtune
