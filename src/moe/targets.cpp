#include "moe/targets.h"

#include <algorithm>
#include <regex>
#include <set>

namespace mixtune {
namespace {

bool is_expression(const std::string& pattern) {
  return pattern.find_first_of("*?[\\^$|(+") != std::string::npos;
}

std::regex compiled(const std::string& expression) {
  try {
    return std::regex(expression);
  } catch (const std::regex_error&) {
    throw UserError("'" + expression + "'", "is not a regular expression",
                    "Use a role, a module name or an expression such as '.*mlp.*'.");
  }
}

bool expression_matches(const std::string& expression, const std::string& path) {
  return std::regex_match(path, compiled(expression));
}

// Reports a malformed expression as an error of the option that contains it.
void check_expressions(const std::vector<std::string>& patterns, const std::string& option) {
  for (const std::string& pattern : patterns) {
    if (!is_expression(pattern)) continue;
    try {
      compiled(pattern);
    } catch (const UserError& error) {
      throw UserError(option, error.where() + " " + error.found(), error.todo());
    }
  }
}

bool is_role(const std::string& target) {
  const auto& roles = role_names();
  return std::find(roles.begin(), roles.end(), target) != roles.end();
}

// The roles of the model's linears, in the order of role_names().
std::vector<std::string> roles_of(const Sites& sites) {
  std::set<Role> found;
  for (const LinearGroup* group : sites.groups)
    for (const Member& member : group->members()) found.insert(member.role);
  std::vector<std::string> out;
  for (const Role role : found) out.push_back(role_name(role));
  return out;
}

// The nearest known target and a list of valid ones, for a target that matches nothing.
std::string known_targets(const std::string& target, const Sites& sites) {
  const std::vector<std::string> roles = roles_of(sites);
  std::vector<std::string> known = roles;
  known.insert(known.end(), {"all-linear", "attention", "feed-forward"});
  for (const LinearGroup* group : sites.groups)
    if (group->layer() == 0)
      for (const Member& member : group->members()) known.push_back(member.name);
  const auto near = nearest(target, known, 1);
  return (near.empty() ? "" : "Did you mean " + near[0] + "? ") +
         "Valid targets: " + join_names(roles) +
         ", all-linear, attention, feed-forward, and module names.";
}

// Whether a target selects the module that contains the whole group in files.
bool target_names_fused(const std::string& target, const LinearGroup& group) {
  if (group.fused.empty() || is_role(target)) return false;
  return target == "all-linear" || name_matches(target, group.fused);
}

bool target_selects(const std::string& target, const LinearGroup& group, const Member& member) {
  if (target == "all-linear" || target_names_fused(target, group)) return true;
  if (target == "feed-forward") return role_name(member.role).starts_with("ffn_");
  if (target == "attention") return !role_name(member.role).starts_with("ffn_");
  if (is_role(target)) return role_name(member.role) == target;
  return name_matches(target, member.name);
}

bool layer_selected(const SiteChoice& choice, int64_t layer) {
  return !choice.layers ||
         std::find(choice.layers->begin(), choice.layers->end(), layer) != choice.layers->end();
}

bool is_excluded(const SiteChoice& choice, const std::string& path) {
  return std::any_of(choice.exclude.begin(), choice.exclude.end(),
                     [&](const std::string& pattern) { return name_matches(pattern, path); });
}

}  // namespace

bool name_matches(const std::string& pattern, const std::string& path) {
  if (is_expression(pattern)) return expression_matches(pattern, path);
  if (path == pattern) return true;
  return path.size() > pattern.size() + 1 && path.ends_with("." + pattern);
}

bool pattern_key_matches(const std::string& key, const std::string& path) {
  return expression_matches("(.*\\.)?(" + key + ")", path);
}

std::vector<size_t> selected_members(const LinearGroup& group, const SiteChoice& choice) {
  std::vector<size_t> out;
  if (!layer_selected(choice, group.layer())) return out;
  if (!group.fused.empty() && is_excluded(choice, group.fused)) return out;
  for (size_t m = 0; m < group.members().size(); ++m) {
    const Member& member = group.members()[m];
    const bool selected = std::any_of(
        choice.targets.begin(), choice.targets.end(),
        [&](const std::string& target) { return target_selects(target, group, member); });
    if (selected && !is_excluded(choice, member.name)) out.push_back(m);
  }
  return out;
}

std::vector<AdaptedModule> selected_modules(const LinearGroup& group, const SiteChoice& choice) {
  const std::vector<size_t> members = selected_members(group, choice);
  const bool whole =
      members.size() == group.members().size() &&
      std::any_of(choice.targets.begin(), choice.targets.end(),
                  [&](const auto& target) { return target_names_fused(target, group); });
  if (whole) return {{group.fused, 0, members.size()}};
  std::vector<AdaptedModule> out;
  for (const size_t m : members) out.push_back({group.members()[m].name, m, m + 1});
  return out;
}

void check_layer_choice(const SiteChoice& choice, const Sites& sites, const std::string& method) {
  if (!choice.layers) return;
  // Plain updates beside the experts ("mixlora.attention") use the layers of the whole method.
  const std::string where = method.substr(0, method.find('.')) + ".layers_to_transform";
  if (choice.layers->empty())
    throw UserError(where, "is [], which names no layer", "Name at least one, or null for all.");
  for (const int64_t layer : *choice.layers)
    if (layer < 0 || layer >= sites.stack->size())
      throw UserError(where,
                      "names layer " + std::to_string(layer) + "; the model has layers 0 to " +
                          std::to_string(sites.stack->size() - 1),
                      "Correct the list.");
}

void check_choice(const SiteChoice& choice, const Sites& sites, const std::string& method) {
  check_expressions(choice.targets, method + ".target_modules");
  check_expressions(choice.exclude, method + ".exclude_modules");
  check_layer_choice(choice, sites, method);
  for (const std::string& pattern : choice.exclude) {
    const auto meant = [&](auto* group) {
      const auto& members = group->members();
      return (!group->fused.empty() && name_matches(pattern, group->fused)) ||
             std::any_of(members.begin(), members.end(),
                         [&](const Member& member) { return name_matches(pattern, member.name); });
    };
    if (!std::any_of(sites.groups.begin(), sites.groups.end(), meant))
      throw UserError(method + ".exclude_modules",
                      "'" + pattern + "' matches no linear layer of the model",
                      "Correct or remove it.");
  }
  for (const std::string& target : choice.targets) {
    const SiteChoice one{{target}, std::nullopt};
    const bool matches = std::any_of(sites.groups.begin(), sites.groups.end(), [&](auto* group) {
      return !selected_members(*group, one).empty();
    });
    if (matches) continue;
    throw UserError(method + ".target_modules",
                    "'" + target + "' matches no linear layer of the model",
                    known_targets(target, sites));
  }
  if (std::all_of(sites.groups.begin(), sites.groups.end(),
                  [&](auto* group) { return selected_members(*group, choice).empty(); }))
    throw UserError(method,
                    "target_modules, layers_to_transform and exclude_modules select no linear "
                    "layer of the model",
                    "Name at least one target and one layer.");
}

}  // namespace mixtune
