#include "text/tokenizer.h"

#include "text/pipeline.h"
#include "text/tokenizer_folder.h"

namespace mixtune {

Tokenizer::Tokenizer(std::unique_ptr<const Pipeline> pipeline) : pipeline_(std::move(pipeline)) {}
Tokenizer::~Tokenizer() = default;
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;

Tokenizer Tokenizer::load(const std::filesystem::path& path) {
  TokenizerFolder folder = read_tokenizer_folder(path);
  return Tokenizer(
      std::make_unique<const Pipeline>(JsonField(folder.tokenizer, folder.file.string()),
                                       folder.roles, std::move(folder.sentence_pieces)));
}

Encoding Tokenizer::encode(std::string_view text, const Options& options) const {
  return pipeline_->encode(text, std::nullopt, options);
}

Encoding Tokenizer::encode(std::string_view first, std::string_view second,
                           const Options& options) const {
  return pipeline_->encode(first, second, options);
}

std::string Tokenizer::decode(std::span<const int32_t> ids, SpecialTokens special) const {
  return pipeline_->decode(ids, special);
}

int64_t Tokenizer::vocab_size() const {
  return pipeline_->vocab_size();
}

std::optional<int32_t> Tokenizer::id_of(std::string_view token) const {
  const int32_t id = pipeline_->find(token);
  return id >= 0 ? std::optional(id) : std::nullopt;
}

std::string Tokenizer::token_of(int32_t id) const {
  return pipeline_->token(id);
}

bool Tokenizer::is_special(int32_t id) const {
  return pipeline_->is_special(id);
}

std::optional<int32_t> Tokenizer::id_of(TokenRole role) const {
  return pipeline_->role(role);
}

}  // namespace mixtune
