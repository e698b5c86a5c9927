#include "base/config_json.h"

namespace mixtune {
namespace {

template <class T>
Json json_of(const T& value) {
  return value;
}
template <class T>
Json json_of(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

class JsonPrinter final : public FieldVisitor {
 public:
  explicit JsonPrinter(Json& out) : out_(out) {}

 protected:
  void visit_value(const Field& field) override {
    out_[field.name] = std::visit([](const auto* value) { return json_of(*value); }, field.value);
  }
  void visit_nested(const std::string& name, Config& config, const std::string&) override {
    out_[name] = to_json(config);
  }
  void visit_choice(const std::string& name, Choice& choice, const ChoiceTable&, const std::string&,
                    const Limits&) override {
    out_[name] = json_of_choice(choice);
  }
  void visit_list(const std::string& name, ConfigList& items, const std::string&) override {
    out_[name] = Json::array();
    for (size_t i = 0; i < items.size(); ++i) out_[name].push_back(to_json(items.at(i)));
  }
  void visit_choices(const std::string& name, std::vector<Choice>& items, const ChoiceTable&,
                     const std::string&) override {
    out_[name] = Json::array();
    for (const Choice& item : items) out_[name].push_back(json_of_choice(item));
  }

 private:
  static Json json_of_choice(const Choice& choice) {
    if (choice.name.empty()) return nullptr;
    Json out = to_json(*choice.config);
    out["name"] = choice.name;
    return out;
  }

  Json& out_;
};

}  // namespace

Json to_json(const Config& config) {
  Json out = Json::object();
  JsonPrinter printer(out);
  const_cast<Config&>(config).fields(printer);  // this visitor does not write
  return out;
}

}  // namespace mixtune
