// The parts of a folder as choices of a config: their names, options and summaries.
#pragma once

#include "base/fields.h"
#include "base/registry.h"

namespace mixtune {

template <class Entry>
class PartChoices final : public ChoiceTable {
 public:
  // `where` and `kind` appear in the error for an unknown name.
  PartChoices(const Registry<Entry>& parts, std::string where, std::string kind)
      : parts_(parts), where_(std::move(where)), kind_(std::move(kind)) {}

  std::vector<std::string> names() const override { return parts_.names(); }
  std::unique_ptr<Config> make(const std::string& name) const override {
    return parts_.get(name, where_, kind_).config();
  }
  std::string summary(const std::string& name) const override {
    return parts_.get(name, where_, kind_).summary;
  }

 private:
  const Registry<Entry>& parts_;
  std::string where_, kind_;
};

}  // namespace mixtune
