// Selects the linears of a model from a list of targets.
#pragma once

#include "moe/adapter_spec.h"

namespace mixtune {

// A target is a role, "all-linear", "attention" or "feed-forward" (the linears of that part of a
// layer), or a pattern of module paths.

// Whether a pattern matches a module path: the path is equal to it or ends with "." + pattern, or,
// if the pattern has characters of a regular expression, the expression matches the whole path.
// UserError for a malformed expression.
bool name_matches(const std::string& pattern, const std::string& path);

// Matches like the `rank_pattern` keys of PEFT: the path ends with a match of the expression that
// begins at a dot or at the start of the path.
bool pattern_key_matches(const std::string& key, const std::string& path);

// The indices of the members of `group` that `choice` selects.
std::vector<size_t> selected_members(const LinearGroup& group, const SiteChoice& choice);

// The module that one update adapts: a member, or the whole group if a target selects all linears
// or names the module that contains the group in files ("c_attn"). PEFT counts modules in the same
// way.
struct AdaptedModule {
  std::string name;    // the module path
  size_t first, last;  // members
};
std::vector<AdaptedModule> selected_modules(const LinearGroup& group, const SiteChoice& choice);

// UserError if a layer does not exist or the list is empty.
void check_layer_choice(const SiteChoice& choice, const Sites& sites, const std::string& method);

// UserError if a target selects nothing in any group, a layer does not exist, or nothing is
// selected at all.
void check_choice(const SiteChoice& choice, const Sites& sites, const std::string& method);

}  // namespace mixtune
