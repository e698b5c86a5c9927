// Prints the effective config as YAML: a visitor collects lines with the origins of their values.
#include "base/config.h"
#include "base/field_text.h"
#include "base/scalars.h"

namespace mixtune {
namespace {

struct Line {
  size_t indent;
  std::string text, comment;
};

class Printer final : public FieldVisitor {
 public:
  Printer(std::string path, size_t indent, const Origins* origins)
      : path_(std::move(path)), indent_(indent), origins_(origins) {}

  std::vector<Line> take() { return std::move(lines_); }

  void add_name(const std::string& name) { add("name: " + print_text(name), path_ + "name"); }

 protected:
  void visit_value(const Field& field) override {
    add(field.name + ": " + value_text(field), path_ + field.name);
  }

  void visit_nested(const std::string& name, Config& config, const std::string&) override {
    add_map(name, lines_of(path_ + name + '.', indent_ + 2, config, nullptr));
  }

  void visit_choice(const std::string& name, Choice& choice, const ChoiceTable&, const std::string&,
                    const Limits&) override {
    if (choice.name.empty())
      add(name + ": null", path_ + name);
    else
      add_map(name, lines_of(path_ + name + '.', indent_ + 2, *choice.config, &choice.name));
  }

  void visit_list(const std::string& name, ConfigList& items, const std::string&) override {
    start_list(name, items.size());
    for (size_t i = 0; i < items.size(); ++i) add_item(name, i, items.at(i), nullptr);
  }

  void visit_choices(const std::string& name, std::vector<Choice>& items, const ChoiceTable&,
                     const std::string&) override {
    start_list(name, items.size());
    for (size_t i = 0; i < items.size(); ++i) add_item(name, i, *items[i].config, &items[i].name);
  }

 private:
  std::vector<Line> lines_of(const std::string& path, size_t indent, Config& config,
                             const std::string* name) const {
    Printer printer(path, indent, origins_);
    if (name != nullptr) printer.add_name(*name);
    config.fields(printer);
    return printer.take();
  }

  void add(const std::string& text, const std::string& key) {
    std::string comment;
    if (origins_ != nullptr) {
      const auto origin = origins_->find(key);
      comment = origin == origins_->end() ? "default" : origin->second;
      // A path may have any characters, and a line break would end the comment.
      for (char& c : comment)
        if (static_cast<unsigned char>(c) < 0x20) c = ' ';
    }
    lines_.push_back({indent_, text, comment});
  }

  void add_map(const std::string& name, std::vector<Line> lines) {
    lines_.push_back({indent_, name + (lines.empty() ? ": {}" : ":"), ""});
    lines_.insert(lines_.end(), lines.begin(), lines.end());
  }

  void start_list(const std::string& name, size_t count) {
    if (count == 0)
      add(name + ": []", path_ + name);
    else
      lines_.push_back({indent_, name + ':', ""});
  }

  void add_item(const std::string& list, size_t i, Config& config, const std::string* name) {
    auto item = lines_of(path_ + list + '.' + std::to_string(i) + '.', indent_ + 4, config, name);
    if (item.empty()) item.push_back({indent_ + 4, "{}", ""});
    item[0].indent -= 2;
    item[0].text = "- " + item[0].text;
    lines_.insert(lines_.end(), item.begin(), item.end());
  }

  std::string path_;
  size_t indent_;
  const Origins* origins_;
  std::vector<Line> lines_;
};

std::string print(const Config& config, const Origins* origins) {
  Printer printer("", 0, origins);
  // fields() is not const because readers write through it; this visitor does not.
  const_cast<Config&>(config).fields(printer);
  std::string out;
  for (const Line& line : printer.take()) {
    out += std::string(line.indent, ' ') + line.text;
    if (!line.comment.empty()) out += "  # " + line.comment;
    out += '\n';
  }
  return out.empty() ? "{}\n" : out;
}

}  // namespace

std::string to_yaml(const Config& config) {
  return print(config, nullptr);
}
std::string to_yaml(const Config& config, const Origins& origins) {
  return print(config, &origins);
}

}  // namespace mixtune
