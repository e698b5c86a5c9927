// Declares the fields of a config as flags of a command, so that options are declared once, with
// fields(). `max_new_tokens` becomes --max-new-tokens.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/fields.h"

namespace CLI {
class App;
}

namespace mixtune {

// The typed values by the name of the field, in the order of typing.
using GivenFlags = std::map<std::string, std::vector<std::string>>;

// Adds a flag for each field of `config`; its help has type, limits and default. The flag of a list
// is repeated for each item; the flag of a boolean sets it to true. `given` must outlive `app`.
void declare_flags(CLI::App& app, const Config& config, GivenFlags& given);

// Sets the given fields. UserError at the field, with its limits, as for a config file, and at the
// flag for a value that is not UTF-8.
void apply_flags(const GivenFlags& given, Config& config);

// UserError at `flag` if the typed text is not UTF-8.
void check_typed_text(const std::string& text, const std::string& flag);

}  // namespace mixtune
