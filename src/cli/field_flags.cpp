#include "cli/field_flags.h"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <algorithm>

#include "base/config.h"
#include "base/error.h"
#include "base/field_text.h"
#include "base/json.h"
#include "base/utf8.h"

namespace mixtune {
namespace {

// Calls `use` for each field. Configs that become flags must have plain fields only.
class PlainFields final : public FieldVisitor {
 public:
  explicit PlainFields(std::function<void(const Field&)> use) : use_(std::move(use)) {}

 protected:
  void visit_value(const Field& field) override { use_(field); }
  void visit_nested(const std::string& name, Config&, const std::string&) override { reject(name); }
  void visit_choice(const std::string& name, Choice&, const ChoiceTable&, const std::string&,
                    const Limits&) override {
    reject(name);
  }
  void visit_list(const std::string& name, ConfigList&, const std::string&) override {
    reject(name);
  }
  void visit_choices(const std::string& name, std::vector<Choice>&, const ChoiceTable&,
                     const std::string&) override {
    reject(name);
  }

 private:
  static void reject(const std::string& name) {
    MIXTUNE_CHECK(false, name + " is not a plain field");
  }

  std::function<void(const Field&)> use_;
};

void for_each_field(const Config& config, const std::function<void(const Field&)>& use) {
  PlainFields visitor(use);
  const_cast<Config&>(config).fields(visitor);  // this visitor does not write
}

std::string flag_of(std::string name) {
  std::replace(name.begin(), name.end(), '_', '-');
  return "--" + name;
}

bool holds_strings(const FieldValue& value) {
  return std::holds_alternative<std::vector<std::string>*>(value) ||
         std::holds_alternative<std::optional<std::vector<std::string>>*>(value);
}
bool holds_numbers(const FieldValue& value) {
  return std::holds_alternative<std::vector<int64_t>*>(value) ||
         std::holds_alternative<std::vector<double>*>(value) ||
         std::holds_alternative<std::optional<std::vector<int64_t>>*>(value);
}

std::string help_of(const Field& field) {
  const std::string limits = limits_text(field.limits);
  return field.help + " (" + type_text(field.value) + (limits.empty() ? "" : ", " + limits) +
         "; default " + value_text(field) + ")";
}

// The items as a YAML list: strings in quotes, numbers as they were typed.
std::string list_of(const std::vector<std::string>& items, bool are_strings) {
  std::string out;
  for (const std::string& item : items)
    out += (out.empty() ? "[" : ", ") + (are_strings ? Json(item).dump() : item);
  return out + "]";
}

}  // namespace

void declare_flags(CLI::App& app, const Config& config, GivenFlags& given) {
  for_each_field(config, [&](const Field& field) {
    const std::string name = field.name;
    if (std::holds_alternative<bool*>(field.value)) {
      app.add_flag_callback(
          flag_of(name), [&given, name] { given[name] = {"true"}; }, field.help);
      return;
    }
    const auto keep = [&given, name](const CLI::results_t& typed) {
      given[name] = typed;
      return true;
    };
    app.add_option(flag_of(name), keep, help_of(field))
        ->take_all()
        ->allow_extra_args(false)
        ->type_name("");
  });
}

void apply_flags(const GivenFlags& given, Config& config) {
  ConfigLayers layers;
  for_each_field(config, [&](const Field& field) {
    const auto found = given.find(field.name);
    if (found == given.end()) return;
    const std::vector<std::string>& typed = found->second;
    for (const std::string& text : typed) check_typed_text(text, flag_of(field.name));
    std::string value = typed.back();  // the last one of a repeated flag
    if (holds_strings(field.value) || holds_numbers(field.value))
      value = list_of(typed, holds_strings(field.value));
    layers.add_override(field.name + "=" + value);
  });
  try {
    layers.apply(config);
  } catch (const UserError& error) {  // a check() of several fields has no origin
    throw UserError("command line", error.found(), error.todo());
  }
}

void check_typed_text(const std::string& text, const std::string& flag) {
  if (first_invalid_utf8(text))
    throw UserError(flag, "holds a byte that is not UTF-8 text", "Give the flag UTF-8 text.");
}

}  // namespace mixtune
