#include "files/safetensors_header.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <unordered_set>

#include "base/error.h"
#include "base/json.h"
#include "base/utf8.h"

namespace mixtune {
namespace {

[[noreturn]] void reject(const std::string& where, const std::string& what) {
  throw UserError(where, what,
                  "The file is damaged or not in the safetensors format; fetch or write it again.");
}

// Handles the parser's events one by one: no tree is built, repeated keys are detected, and nesting
// beyond the three levels of the format is an immediate error.
class HeaderHandler final : public nlohmann::json_sax<Json> {
 public:
  explicit HeaderHandler(const std::string& where) : where_(where) {}

  SafetensorsHeader take() { return std::move(header_); }

  bool start_object(size_t) override {
    if (place_ == Place::outside)
      place_ = Place::header;
    else if (place_ == Place::header && key_ == "__metadata__")
      place_ = Place::metadata;
    else if (place_ == Place::header)
      start_tensor();
    else
      wrong("an object");
    return true;
  }

  bool end_object() override {
    if (place_ == Place::tensor) end_tensor();
    place_ = place_ == Place::header ? Place::outside : Place::header;
    return true;
  }

  bool key(std::string& name) override {
    key_ = name;
    if (place_ == Place::header) {
      if (!names_.insert(name).second)
        reject(where_, "the header repeats the name \"" + name + "\"");
    } else if (place_ == Place::metadata) {
      if (header_.metadata.count(name) != 0)
        reject(where_, "the header's __metadata__ repeats the key \"" + name + "\"");
    } else {
      bool& seen = name == "dtype" ? has_dtype_ : name == "shape" ? has_shape_ : has_offsets_;
      if (name != "dtype" && name != "shape" && name != "data_offsets")
        reject(where_,
               tensor() + " has the key \"" + name + "\"; expected dtype, shape and data_offsets");
      if (seen) reject(where_, tensor() + " repeats the key " + name);
      seen = true;
    }
    return true;
  }

  bool start_array(size_t) override {
    if (place_ != Place::tensor || in_array_ || key_ == "dtype") wrong("a list");
    in_array_ = true;
    return true;
  }
  bool end_array() override {
    in_array_ = false;
    return true;
  }

  bool string(std::string& value) override {
    if (place_ == Place::metadata) {
      header_.metadata[key_] = value;
    } else if (place_ == Place::tensor && key_ == "dtype" && !in_array_) {
      const auto dtype = dtype_from_name(value);
      if (is_packed_dtype(value))
        throw UserError(
            where_, tensor() + " has dtype " + value + ", which packs several elements into a byte",
            "Convert it to BF16 or F32 first.");
      if (!dtype) reject(where_, tensor() + " has the unknown dtype \"" + value + "\"");
      current_.dtype = *dtype;
    } else {
      wrong("a string");
    }
    return true;
  }

  bool number_unsigned(number_unsigned_t value) override {
    if (place_ != Place::tensor || !in_array_) wrong("a number");
    if (key_ == "shape") {
      if (value > static_cast<uint64_t>(std::numeric_limits<int64_t>::max()))
        reject(where_, tensor() + " has a dimension that is too large");
      current_.shape.push_back(static_cast<int64_t>(value));
    } else {
      offsets_.push_back(value);
      if (offsets_.size() > 2) reject(where_, tensor() + " has more than two data_offsets");
    }
    return true;
  }

  bool null() override { wrong("null"); }
  bool boolean(bool) override { wrong("true or false"); }
  bool number_integer(number_integer_t value) override { wrong(std::to_string(value)); }
  bool number_float(number_float_t, const std::string& text) override { wrong(text); }
  bool binary(binary_t&) override { wrong("binary data"); }
  bool parse_error(size_t position, const std::string&,
                   const nlohmann::detail::exception&) override {
    reject(where_, "the header is not valid JSON at byte " + std::to_string(position));
  }

 private:
  enum class Place { outside, header, metadata, tensor };

  std::string tensor() const { return "tensor \"" + current_.name + '"'; }

  [[noreturn]] void wrong(const std::string& found) const {
    switch (place_) {
      case Place::outside:
        reject(where_, "the header is " + found + "; expected an object");
      case Place::header:
        reject(where_, "the header's \"" + key_ + "\" is " + found + "; expected an object");
      case Place::metadata:
        reject(where_, "the header's __metadata__ has " + found + " under \"" + key_ +
                           "\"; expected only strings");
      case Place::tensor:
        break;
    }
    reject(where_, tensor() + " has " + found + " in " + key_ + "; expected " +
                       (key_ == "dtype" ? "a string" : "a list of whole numbers from 0"));
  }

  void start_tensor() {
    place_ = Place::tensor;
    current_ = {};
    current_.name = key_;
    offsets_.clear();
    has_dtype_ = has_shape_ = has_offsets_ = false;
  }

  void end_tensor() {
    if (!has_dtype_ || !has_shape_ || !has_offsets_ || offsets_.size() != 2)
      reject(where_, tensor() + " lacks dtype, shape or two data_offsets");
    current_.begin = offsets_[0];
    current_.end = offsets_[1];
    header_.tensors.push_back(std::move(current_));
  }

  const std::string& where_;
  SafetensorsHeader header_;
  std::unordered_set<std::string> names_;
  Place place_ = Place::outside;
  std::string key_;
  TensorInfo current_;
  std::vector<uint64_t> offsets_;
  bool in_array_ = false;
  bool has_dtype_ = false, has_shape_ = false, has_offsets_ = false;
};

// Nothing if the product overflows. Zeros count as ones in the product, so that [2^40, 2^40, 0] is
// rejected too: strides are products of some of the dimensions.
std::optional<uint64_t> bytes_of(const TensorInfo& tensor) {
  int64_t product = static_cast<int64_t>(dtype_bytes(tensor.dtype));
  bool is_empty = false;
  for (int64_t size : tensor.shape) {
    is_empty = is_empty || size == 0;
    if (__builtin_mul_overflow(product, std::max<int64_t>(size, 1), &product)) return std::nullopt;
  }
  return is_empty ? 0 : static_cast<uint64_t>(product);
}

void check_sizes(const TensorInfo& tensor, uint64_t buffer_bytes, const std::string& where) {
  const std::string name = "tensor \"" + tensor.name + "\" ";
  const std::string range = std::to_string(tensor.begin) + " to " + std::to_string(tensor.end);
  if (tensor.begin > tensor.end)
    reject(where, name + "has data_offsets in descending order: " + range);
  if (tensor.end > buffer_bytes)
    reject(where, name + "is at bytes " + range + "; the file has only " +
                      std::to_string(buffer_bytes) + " bytes of data");
  const auto bytes = bytes_of(tensor);
  if (!bytes) reject(where, name + "has a shape whose size overflows");
  if (*bytes != tensor.end - tensor.begin)
    reject(where, name + "has " + std::to_string(tensor.end - tensor.begin) + " bytes; expected " +
                      std::to_string(*bytes) + " from its shape and dtype");
}

// Tensors must cover the buffer exactly: no gaps, no overlaps, no bytes left at the end.
void check_cover(const std::vector<TensorInfo>& tensors, uint64_t buffer_bytes,
                 const std::string& where) {
  std::vector<const TensorInfo*> sorted;
  for (const TensorInfo& tensor : tensors) sorted.push_back(&tensor);
  std::sort(sorted.begin(), sorted.end(), [](const TensorInfo* a, const TensorInfo* b) {
    return std::pair(a->begin, a->end) < std::pair(b->begin, b->end);
  });
  uint64_t covered = 0;
  for (const TensorInfo* tensor : sorted) {
    if (tensor->begin != covered)
      reject(where, "tensor \"" + tensor->name + "\" begins at byte " +
                        std::to_string(tensor->begin) + "; expected " + std::to_string(covered) +
                        (tensor->begin < covered ? " (it overlaps another tensor)" : " (a gap)"));
    covered = tensor->end;
  }
  if (covered != buffer_bytes)
    reject(where, "has " + std::to_string(buffer_bytes) +
                      " bytes of data, of which tensors cover " + std::to_string(covered));
}

}  // namespace

SafetensorsHeader parse_safetensors_header(std::string_view json, uint64_t buffer_bytes,
                                           const std::string& where) {
  if (json.empty() || json[0] != '{') reject(where, "the header does not begin with '{'");
  if (const auto bad = first_invalid_utf8(json))
    reject(where, "the header is not UTF-8 at byte " + std::to_string(*bad));
  HeaderHandler handler(where);
  Json::sax_parse(json.begin(), json.end(), &handler);
  SafetensorsHeader header = handler.take();
  for (const TensorInfo& tensor : header.tensors) check_sizes(tensor, buffer_bytes, where);
  check_cover(header.tensors, buffer_bytes, where);
  return header;
}

}  // namespace mixtune
