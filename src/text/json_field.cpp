#include "text/json_field.h"

#include "base/error.h"

namespace mixtune {
namespace {

std::string description(const Json& value) {
  if (value.is_object()) return "an object";
  if (value.is_array()) return "a list";
  std::string text = value.dump(-1, ' ', false, Json::error_handler_t::replace);
  constexpr size_t kLongest = 40;
  if (text.size() > kLongest) text = text.substr(0, kLongest) + "...";
  return text;
}

}  // namespace

JsonField JsonField::at(const std::string& key) const {
  auto field = find(key);
  if (!field) fail("has no \"" + key + "\"");
  return *field;
}

std::optional<JsonField> JsonField::find(const std::string& key) const {
  const auto found = object().find(key);
  if (found == value_->end() || found->is_null()) return std::nullopt;
  return JsonField(*found, file_, path_.empty() ? key : path_ + '.' + key);
}

JsonField JsonField::at(size_t index) const {
  return JsonField(list()[index], file_, path_ + '[' + std::to_string(index) + ']');
}

size_t JsonField::size() const {
  return list().size();
}

std::string JsonField::string() const {
  if (!value_->is_string()) fail("is " + description(*value_) + "; expected a string");
  return value_->get<std::string>();
}

bool JsonField::boolean() const {
  if (!value_->is_boolean()) fail("is " + description(*value_) + "; expected true or false");
  return value_->get<bool>();
}

int64_t JsonField::integer(int64_t least, int64_t most) const {
  const auto expected =
      "; expected a whole number from " + std::to_string(least) + " to " + std::to_string(most);
  if (!value_->is_number_integer()) fail("is " + description(*value_) + expected);
  const bool fits = !value_->is_number_unsigned() || value_->get<uint64_t>() <= INT64_MAX;
  const int64_t number = fits ? value_->get<int64_t>() : INT64_MAX;
  if (!fits || number < least || number > most) fail("is " + description(*value_) + expected);
  return number;
}

double JsonField::number() const {
  if (!value_->is_number()) fail("is " + description(*value_) + "; expected a number");
  return value_->get<double>();
}

bool JsonField::boolean_or(const std::string& key, bool fallback) const {
  const auto field = find(key);
  return field ? field->boolean() : fallback;
}

std::string JsonField::string_or(const std::string& key, const std::string& fallback) const {
  const auto field = find(key);
  return field ? field->string() : fallback;
}

const Json& JsonField::object() const {
  if (!value_->is_object()) fail("is " + description(*value_) + "; expected an object");
  return *value_;
}

const Json& JsonField::list() const {
  if (!value_->is_array()) fail("is " + description(*value_) + "; expected a list");
  return *value_;
}

void JsonField::fail(const std::string& found, const std::string& todo) const {
  throw UserError(path_.empty() ? file_ : file_ + ": " + path_, found,
                  todo.empty() ? "The file may be incomplete; fetch or write it again." : todo);
}

void JsonField::reject(const std::string& component, const std::string& supported) const {
  fail("is " + component + ", which is not supported; expected " + supported,
       "Use a model whose tokenizer is supported; docs/tokenizers.md lists the components.");
}

}  // namespace mixtune
