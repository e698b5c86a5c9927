#include "text/sentence_piece.h"

#include <sentencepiece_processor.h>

#include <optional>

#include "base/error.h"
#include "text/charsmap.h"

namespace mixtune {
namespace {

// Reads the fields of a protobuf message in order.
class MessageReader {
 public:
  explicit MessageReader(std::string_view bytes) : rest_(bytes) {}

  struct Field {
    uint64_t number = 0;
    std::string_view bytes;  // of a string or a message; empty for numbers
  };
  // Nothing at the end, or if the rest is not a valid field.
  std::optional<Field> next() {
    enum WireType { kVarint = 0, k64Bits = 1, kLength = 2, k32Bits = 5 };
    const auto key = varint();
    if (!key) return std::nullopt;
    Field field{.number = *key >> 3, .bytes = {}};
    switch (*key & 7) {
      case kVarint:
        return varint() ? std::optional(field) : std::nullopt;
      case k64Bits:
        return take(8) ? std::optional(field) : std::nullopt;
      case k32Bits:
        return take(4) ? std::optional(field) : std::nullopt;
      case kLength: {
        const auto size = varint();
        const auto bytes = size ? take(*size) : std::nullopt;
        if (!bytes) return std::nullopt;
        field.bytes = *bytes;
        return field;
      }
      default:
        return std::nullopt;
    }
  }

 private:
  std::optional<uint64_t> varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64 && !rest_.empty(); shift += 7) {
      const auto byte = static_cast<uint8_t>(rest_[0]);
      rest_.remove_prefix(1);
      value |= uint64_t{byte & 0x7Fu} << shift;
      if (byte < 0x80) return value;
    }
    return std::nullopt;
  }
  std::optional<std::string_view> take(uint64_t size) {
    if (size > rest_.size()) return std::nullopt;
    const auto bytes = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return bytes;
  }

  std::string_view rest_;
};

// The library does not check the offsets in a character map, so they are checked here.
void check_charsmaps(std::string_view model, const std::string& file) {
  constexpr uint64_t kNormalizer = 3, kDenormalizer = 5, kCharsmap = 2;  // field numbers
  for (MessageReader fields(model); const auto field = fields.next();) {
    if (field->number != kNormalizer && field->number != kDenormalizer) continue;
    for (MessageReader inner(field->bytes); const auto map = inner.next();) {
      if (map->number != kCharsmap || map->bytes.empty()) continue;
      std::string error;
      Charsmap::read(map->bytes, error);
      if (!error.empty())
        throw UserError(file, "has a character map that " + error, "Fetch the file again.");
    }
  }
}

}  // namespace

SentencePieces::SentencePieces(const std::string& bytes, const std::string& file)
    : library_(std::make_unique<sentencepiece::SentencePieceProcessor>()) {
  check_charsmaps(bytes, file);
  const auto status = library_->LoadFromSerializedProto(bytes);
  if (!status.ok())
    throw UserError(file, std::string("is not a SentencePiece model (") + status.message() + ')',
                    "The file may be incomplete; fetch it again.");
}

SentencePieces::~SentencePieces() = default;

void SentencePieces::cut(std::string_view word, std::vector<Piece>& pieces) const {
  const auto found = library_->EncodeAsImmutableProto(word);
  const size_t first = pieces.size();
  for (const auto& piece : found.pieces())
    pieces.push_back({static_cast<int32_t>(piece.id()), piece.begin(), piece.end()});
  // For a character split into bytes, the library gives the offsets only to the last byte.
  for (size_t i = pieces.size(); i-- > first + 1;)
    if (library_->IsByte(pieces[i].id) && library_->IsByte(pieces[i - 1].id) &&
        pieces[i - 1].begin == pieces[i - 1].end && pieces[i - 1].end == pieces[i].begin)
      pieces[i - 1].end = pieces[i].end;
}

int32_t SentencePieces::unknown() const {
  return library_->unk_id();
}

int32_t SentencePieces::size() const {
  return library_->GetPieceSize();
}

std::string SentencePieces::piece(int32_t id) const {
  return library_->IdToPiece(id);
}

bool SentencePieces::is_control(int32_t id) const {
  return id >= 0 && id < size() && library_->IsControl(id);
}

bool SentencePieces::has_bytes() const {
  for (int32_t id = 0; id < size(); ++id)
    if (library_->IsByte(id)) return true;
  return false;
}

int32_t SentencePieces::bos() const {
  return library_->bos_id();
}

int32_t SentencePieces::eos() const {
  return library_->eos_id();
}

int32_t SentencePieces::pad() const {
  return library_->pad_id();
}

std::string SentencePieces::decode(const std::vector<int>& ids) const {
  return library_->DecodeIds(ids);
}

}  // namespace mixtune
