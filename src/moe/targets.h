// Which linears of a model a list of targets means.
#pragma once

#include "moe/adapter_spec.h"

namespace mixtune {

// A target is a role, "all-linear", "attention" or "feed-forward" (the linears of that part of a
// block), or a pattern of module paths.

// Whether a module path is meant by a pattern: equal, ending with "." + pattern, or, where the
// pattern has characters of a regular expression, a match of the whole path. UserError for a
// malformed expression.
bool name_matches(const std::string& pattern, const std::string& path);

// As `rank_pattern` keys of PEFT: the path ends with a match of the expression, at a dot or at its
// start.
bool pattern_key_matches(const std::string& key, const std::string& path);

// The members of `group` that `choice` selects, by number.
std::vector<size_t> selected_members(const LinearGroup& group, const SiteChoice& choice);

// What one update stands on: a member, or the whole group where a target names the module that
// files hold it in ("c_attn") or all linears: as PEFT counts modules.
struct Level {
  std::string name;    // the module path
  size_t first, last;  // members
};
std::vector<Level> selected_units(const LinearGroup& group, const SiteChoice& choice);

// UserError where a layer does not exist or none is named.
void check_layer_choice(const SiteChoice& choice, const Sites& sites, const std::string& method);

// UserError where a target selects nothing in any group, a layer does not exist, or nothing is
// selected at all.
void check_choice(const SiteChoice& choice, const Sites& sites, const std::string& method);

}  // namespace mixtune
