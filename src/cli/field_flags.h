// The fields of a config as flags of a command: what is declared once with fields() needs no second
// declaration for the command line. `max_new_tokens` becomes --max-new-tokens.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/fields.h"

namespace CLI {
class App;
}

namespace mixtune {

// What was typed, by the name of the field, in the order of typing.
using GivenFlags = std::map<std::string, std::vector<std::string>>;

// Adds a flag for each plain field of `config`; its help says type, limits and default. A list
// takes its flag again for each item; the flag of a boolean sets it. `given` must outlive `app`.
void declare_flags(CLI::App& app, const Config& config, GivenFlags& given);

// Sets the fields that were given. UserError at the field, with its limits, as for a config file,
// and at the flag for what is no UTF-8.
void apply_flags(const GivenFlags& given, Config& config);

// UserError at `flag` for a typed text that is no UTF-8.
void check_typed_text(const std::string& text, const std::string& flag);

}  // namespace mixtune
