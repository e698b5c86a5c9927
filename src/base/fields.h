// Options are declared once, in the fields() function of a config struct. Reading, range errors,
// help, printing and saving are visitors of that function. Values are passed as one variant of
// pointers, so that a visitor is a class with five functions and no templates.
//
//   struct LoraConfig : Config {
//     int64_t r = 8;
//     void fields(FieldVisitor& v) override {
//       v.field("r", r, "Rank of the update.", {.minimum = 1, .maximum = 65536});
//     }
//   };
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <variant>
#include <vector>

namespace mixtune {

class FieldVisitor;

// The allowed values. Bounds and choices apply to each element of a list, map or optional.
struct Limits {
  std::optional<double> minimum = std::nullopt;  // inclusive
  std::optional<double> maximum = std::nullopt;  // inclusive
  std::optional<double> above = std::nullopt;    // exclusive
  std::optional<double> below = std::nullopt;    // exclusive
  std::vector<std::string> choices = {};         // of a string
  // For strings with a format, such as "epoch" or "100": returns what was expected if the string is
  // wrong. A string field with a check also accepts numbers and lists in YAML flow style, "[1, 2]".
  std::function<std::optional<std::string>(const std::string&)> check = nullptr;
  bool optional = false;  // of a Choice: it may be null or absent
};

// A problem that involves more than one field, reported at one of them.
struct FieldProblem {
  std::string field;     // "top_k"
  std::string expected;  // "1 to 8 (num_experts)"
  std::string todo;      // "Lower top_k or raise num_experts."
};

struct Config {
  Config() = default;
  Config(const Config&) = default;
  Config& operator=(const Config&) = default;
  virtual ~Config() = default;
  virtual void fields(FieldVisitor& v) = 0;
  // Called when all fields are read and within their limits.
  virtual std::optional<FieldProblem> check() const { return std::nullopt; }
};

// A config that is chosen by name: `method: {name: lora, r: 4}`, or `method: lora` for its
// defaults. An empty name means unset. A copy shares the config.
struct Choice {
  std::string name;
  std::shared_ptr<Config> config;
};

// The alternatives of a Choice. None of their configs may have a field "name".
class ChoiceTable {
 public:
  virtual ~ChoiceTable() = default;
  virtual std::vector<std::string> names() const = 0;
  // `name` must be one of names().
  virtual std::unique_ptr<Config> make(const std::string& name) const = 0;
  // One line about an alternative; empty: there is none.
  virtual std::string summary(const std::string& name) const { return ""; }
};

using FieldValue =
    std::variant<bool*, int64_t*, double*, std::string*, std::vector<std::string>*,
                 std::vector<int64_t>*, std::vector<double>*, std::map<std::string, int64_t>*,
                 std::map<std::string, double>*, std::optional<bool>*, std::optional<int64_t>*,
                 std::optional<double>*, std::optional<std::string>*,
                 std::optional<std::vector<int64_t>>*, std::optional<std::vector<std::string>>*>;

struct Field {
  std::string name, help;
  Limits limits;
  FieldValue value;
};

// A list whose items are configs, with the type of the items erased.
class ConfigList {
 public:
  virtual ~ConfigList() = default;
  virtual size_t size() const = 0;
  virtual void resize(size_t count) = 0;  // all items get their defaults
  virtual Config& at(size_t index) = 0;
  virtual std::unique_ptr<Config> fresh() const = 0;
};

template <class T>
class ConfigVector final : public ConfigList {
 public:
  explicit ConfigVector(std::vector<T>& items) : items_(items) {}
  size_t size() const override { return items_.size(); }
  void resize(size_t count) override { items_ = std::vector<T>(count); }
  Config& at(size_t index) override { return items_.at(index); }
  std::unique_ptr<Config> fresh() const override { return std::make_unique<T>(); }

 private:
  std::vector<T>& items_;
};

class FieldVisitor {
 public:
  virtual ~FieldVisitor() = default;

  // A plain value of one of the types of FieldValue.
  template <class T>
  void field(std::string name, T& value, std::string help, Limits limits = {}) {
    static_assert(std::is_constructible_v<FieldValue, T*>,
                  "not a type of FieldValue (use int64_t)");
    visit_value({std::move(name), std::move(help), std::move(limits), &value});
  }
  // A config struct under its own key.
  void nested(const std::string& name, Config& config, const std::string& help) {
    visit_nested(name, config, help);
  }
  // A config that is chosen by name; {.optional = true} if it may be unset.
  void choice(const std::string& name, Choice& choice, const ChoiceTable& table,
              const std::string& help, const Limits& limits = {}) {
    visit_choice(name, choice, table, help, limits);
  }
  // Lists of config structs and of choices. A later layer replaces the whole list;
  // `key.0.field=value` changes an item.
  template <class T>
  void list(const std::string& name, std::vector<T>& items, const std::string& help) {
    ConfigVector<T> erased(items);
    visit_list(name, erased, help);
  }
  void choices(const std::string& name, std::vector<Choice>& items, const ChoiceTable& table,
               const std::string& help) {
    visit_choices(name, items, table, help);
  }

 protected:
  virtual void visit_value(const Field& field) = 0;
  virtual void visit_nested(const std::string& name, Config& config, const std::string& help) = 0;
  virtual void visit_choice(const std::string& name, Choice& choice, const ChoiceTable& table,
                            const std::string& help, const Limits& limits) = 0;
  virtual void visit_list(const std::string& name, ConfigList& items, const std::string& help) = 0;
  virtual void visit_choices(const std::string& name, std::vector<Choice>& items,
                             const ChoiceTable& table, const std::string& help) = 0;
};

}  // namespace mixtune
