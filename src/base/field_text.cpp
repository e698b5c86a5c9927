#include "base/field_text.h"

#include "base/scalars.h"

namespace mixtune {
namespace {

std::string text_of(bool value) {
  return value ? "true" : "false";
}
std::string text_of(int64_t value) {
  return std::to_string(value);
}
std::string text_of(double value) {
  return print_number(value);
}
std::string text_of(const std::string& value) {
  return print_text(value);
}

template <class T>
std::string text_of(const std::vector<T>& values) {
  std::string out;
  for (const T& value : values) out += (out.empty() ? "" : ", ") + text_of(value);
  return '[' + out + ']';
}

template <class T>
std::string text_of(const std::map<std::string, T>& values) {
  std::string out;
  for (const auto& [key, value] : values)
    out += (out.empty() ? "" : ", ") + print_text(key) + ": " + text_of(value);
  return '{' + out + '}';
}

template <class T>
std::string text_of(const std::optional<T>& value) {
  return value ? text_of(*value) : "null";
}

std::string type_of(const bool*) {
  return "true or false";
}
std::string type_of(const int64_t*) {
  return "whole number";
}
std::string type_of(const double*) {
  return "number";
}
std::string type_of(const std::string*) {
  return "string";
}

template <class T>
std::string type_of(const std::vector<T>*) {
  return "list of " + type_of(static_cast<const T*>(nullptr)) + 's';
}
template <class T>
std::string type_of(const std::map<std::string, T>*) {
  return "map of names to " + type_of(static_cast<const T*>(nullptr)) + 's';
}
template <class T>
std::string type_of(const std::optional<T>*) {
  const std::string type = type_of(static_cast<const T*>(nullptr));
  return type + (std::is_same_v<T, bool> ? ", or null" : " or null");
}

std::string list_choices(const std::vector<std::string>& names) {
  std::string out;
  for (size_t i = 0; i < names.size(); ++i)
    out += (i == 0 ? "" : i + 1 == names.size() ? " or " : ", ") + names[i];
  return out;
}

}  // namespace

std::string type_text(const FieldValue& value) {
  return std::visit([](const auto* pointer) { return type_of(pointer); }, value);
}

std::string limits_text(const Limits& limits) {
  if (!limits.choices.empty()) return list_choices(limits.choices);
  if (limits.minimum && limits.maximum)
    return print_number(*limits.minimum) + " to " + print_number(*limits.maximum);
  std::string out;
  const auto add = [&](const std::string& word, const std::optional<double>& bound) {
    if (bound) out += (out.empty() ? "" : " and ") + word + ' ' + print_number(*bound);
  };
  add("above", limits.above);
  add("at least", limits.minimum);
  add("below", limits.below);
  add("at most", limits.maximum);
  return out;
}

std::string value_text(const Field& field) {
  // For a field with a check, such as "epoch" or "100", a number needs no quotes to be read back.
  if (const auto* text = std::get_if<std::string*>(&field.value))
    if (field.limits.check && parse_number(**text)) return **text;
  return std::visit([](const auto* pointer) { return text_of(*pointer); }, field.value);
}

}  // namespace mixtune
