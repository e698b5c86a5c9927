// Describes every option, for the terminal and for the generated documents.
#include <algorithm>

#include "base/config.h"
#include "base/error.h"
#include "base/field_text.h"

namespace mixtune {
namespace {

struct Row {
  std::string key, type, value, limits, help;
};

class Describer final : public FieldVisitor {
 public:
  Describer(std::string path, std::vector<Row>& rows) : path_(std::move(path)), rows_(rows) {}

 protected:
  void visit_value(const Field& field) override {
    rows_.push_back({path_ + field.name, type_text(field.value), value_text(field),
                     limits_text(field.limits), field.help});
  }

  void visit_nested(const std::string& name, Config& config, const std::string& help) override {
    rows_.push_back({path_ + name, "options", "", "", help});
    describe(name, config);
  }

  void visit_choice(const std::string& name, Choice& choice, const ChoiceTable& table,
                    const std::string& help, const Limits& limits) override {
    rows_.push_back({path_ + name, limits.optional ? "choice or null" : "choice",
                     choice.name.empty() ? "null" : choice.name, join_names(table.names()), help});
    if (choice.config != nullptr) describe(name, *choice.config);
  }

  void visit_list(const std::string& name, ConfigList& items, const std::string& help) override {
    rows_.push_back({path_ + name, "list of options", items.size() == 0 ? "[]" : "", "", help});
    if (items.size() == 0)
      describe(name + ".0", *items.fresh());
    else
      for (size_t i = 0; i < items.size(); ++i)
        describe(name + '.' + std::to_string(i), items.at(i));
  }

  void visit_choices(const std::string& name, std::vector<Choice>& items, const ChoiceTable& table,
                     const std::string& help) override {
    std::vector<std::string> names;
    for (const Choice& item : items) names.push_back(item.name);
    rows_.push_back({path_ + name, "list of choices", '[' + join_names(names) + ']',
                     join_names(table.names()), help});
    for (size_t i = 0; i < items.size(); ++i)
      describe(name + '.' + std::to_string(i), *items[i].config);
  }

 private:
  void describe(const std::string& name, Config& config) {
    Describer inner(path_ + name + '.', rows_);
    config.fields(inner);
  }

  std::string path_;
  std::vector<Row>& rows_;
};

class ChoiceFinder final : public FieldVisitor {
 public:
  using Use = std::function<void(const std::string&, const ChoiceTable&)>;
  ChoiceFinder(std::string path, const Use& use) : path_(std::move(path)), use_(use) {}

 protected:
  void visit_value(const Field&) override {}
  void visit_nested(const std::string& name, Config& config, const std::string&) override {
    ChoiceFinder inner(path_ + name + '.', use_);
    config.fields(inner);
  }
  void visit_choice(const std::string& name, Choice&, const ChoiceTable& table, const std::string&,
                    const Limits&) override {
    use_(path_ + name, table);
  }
  void visit_list(const std::string&, ConfigList&, const std::string&) override {}
  void visit_choices(const std::string& name, std::vector<Choice>&, const ChoiceTable& table,
                     const std::string&) override {
    use_(path_ + name, table);
  }

 private:
  std::string path_;
  const Use& use_;
};

std::vector<Row> rows_of(const Config& config) {
  std::vector<Row> rows;
  Describer describer("", rows);
  const_cast<Config&>(config).fields(describer);  // this visitor does not write
  return rows;
}

std::string cell(const std::string& text) {
  std::string out;
  for (char c : text) {
    if (c == '|') out += '\\';
    out += c == '\n' ? ' ' : c;
  }
  return out;
}

std::string code(const std::string& text) {
  return text.empty() ? "" : '`' + cell(text) + '`';
}

}  // namespace

std::string describe(const Config& config) {
  const std::vector<Row> rows = rows_of(config);
  size_t width = 0;
  for (const Row& row : rows) width = std::max(width, row.key.size());
  std::string out;
  for (const Row& row : rows) {
    std::string facts = row.type;
    if (!row.limits.empty()) facts += ": " + row.limits;
    if (!row.value.empty()) facts += " (default " + row.value + ')';
    out += "  " + row.key + std::string(width - row.key.size() + 2, ' ') + facts + '\n';
    if (!row.help.empty()) out += std::string(width + 4, ' ') + row.help + '\n';
  }
  return out;
}

std::string describe_markdown(const Config& config) {
  std::string out = "| option | type | default | allowed | meaning |\n|---|---|---|---|---|\n";
  for (const Row& row : rows_of(config))
    out += "| " + code(row.key) + " | " + row.type + " | " + code(row.value) + " | " +
           cell(row.limits) + " | " + cell(row.help) + " |\n";
  return out;
}

void for_each_choice(const Config& config, const ChoiceFinder::Use& use) {
  ChoiceFinder finder("", use);
  const_cast<Config&>(config).fields(finder);  // this visitor does not write
}

}  // namespace mixtune
