// Text to ids and back, as the files of a pre-trained model ask for: WordPiece (BERT), byte-level
// BPE (RoBERTa, GPT-2, LLaMA 3, Qwen), BPE over characters (LLaMA 2), Unigram (T5). Every component
// of the file is honoured or refused by name, never approximated: ids that are a little wrong train
// a model that is a little wrong.
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

// The role a special token plays; which token plays it stands in tokenizer_config.json or
// special_tokens_map.json, else in the conventional names of the family.
enum class TokenRole { kCls, kSep, kPad, kUnk, kBos, kEos, kMask };

class Pipeline;

// Immutable after loading: any number of threads may encode with one tokenizer.
class Tokenizer {
 public:
  // A tokenizer.json, a SentencePiece or tiktoken file (*.model), or a folder that holds
  // tokenizer.json, else vocab.txt, else vocab.json + merges.txt (GPT-2's first release called them
  // encoder.json + vocab.bpe), else tokenizer.model. UserError for what is missing, malformed or
  // not supported.
  static Tokenizer load(const std::filesystem::path& path);

  // These replace the truncation and the padding that tokenizer.json may ask for itself.
  struct Options {
    bool add_special = true;
    std::optional<int64_t> max_length = std::nullopt;  // special tokens count
    Truncation truncation = Truncation::kLongestFirst;
    OffsetUnit offsets = OffsetUnit::kNone;
  };

  // Invalid UTF-8 is read as U+FFFD, one for each maximal broken part; byte offsets then count in
  // the text after that. UserError where max_length leaves no room, or the part to cut is too short
  // to be cut.
  Encoding encode(std::string_view text, const Options& options) const;
  Encoding encode(std::string_view text) const { return encode(text, Options()); }

  // A pair. An empty second text is still a second text and gets its separator, as in the reference
  // library; transformers takes an empty string for no second text: call the function above then.
  Encoding encode(std::string_view first, std::string_view second, const Options& options) const;

  // Ids that no token has give no text.
  std::string decode(std::span<const int32_t> ids,
                     SpecialTokens special = SpecialTokens::kSkip) const;

  // One more than the largest id.
  int64_t vocab_size() const;
  std::optional<int32_t> id_of(std::string_view token) const;
  // The token as the file spells it ("Ġthe", "##ing"); empty for an id without one.
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
