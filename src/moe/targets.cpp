#include "moe/targets.h"

#include <algorithm>
#include <regex>

namespace molt {
namespace {

bool is_expression(const std::string& pattern) {
  return pattern.find_first_of("*?[\\^$|(+") != std::string::npos;
}

bool expression_matches(const std::string& expression, const std::string& path) {
  try {
    return std::regex_match(path, std::regex(expression));
  } catch (const std::regex_error&) {
    throw UserError(
        "target '" + expression + "'", "is not a regular expression",
        "Use a role (" + join_names(role_names()) + "), a module name or an expression.");
  }
}

bool target_selects(const std::string& target, const Member& member) {
  if (target == "all-linear") return true;
  if (target == "feed-forward") return role_name(member.role).starts_with("ffn_");
  if (target == "attention") return !role_name(member.role).starts_with("ffn_");
  const auto& roles = role_names();
  if (std::find(roles.begin(), roles.end(), target) != roles.end())
    return role_name(member.role) == target;
  return name_matches(target, member.name);
}

bool layer_selected(const SiteChoice& choice, int64_t block) {
  return !choice.layers ||
         std::find(choice.layers->begin(), choice.layers->end(), block) != choice.layers->end();
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
  if (!layer_selected(choice, group.block())) return out;
  for (size_t m = 0; m < group.members().size(); ++m)
    for (const std::string& target : choice.targets)
      if (target_selects(target, group.members()[m])) {
        out.push_back(m);
        break;
      }
  return out;
}

void check_choice(const SiteChoice& choice, const Sites& sites, const std::string& method) {
  if (choice.layers)
    for (const int64_t layer : *choice.layers)
      if (layer < 0 || layer >= sites.stack->size())
        throw UserError(method + ".layers",
                        "names layer " + std::to_string(layer) + "; the model has layers 0 to " +
                            std::to_string(sites.stack->size() - 1),
                        "Correct the list.");
  for (const std::string& target : choice.targets) {
    const SiteChoice one{{target}, std::nullopt};
    const bool matches = std::any_of(sites.groups.begin(), sites.groups.end(), [&](auto* group) {
      return !selected_members(*group, one).empty();
    });
    if (matches) continue;
    std::vector<std::string> known = role_names();
    known.insert(known.end(), {"all-linear", "attention", "feed-forward"});
    for (const LinearGroup* group : sites.groups)
      if (group->block() == 0)
        for (const Member& member : group->members()) known.push_back(member.name);
    throw UserError(method + ".targets", "'" + target + "' matches no linear of the model",
                    suggestion(target, known));
  }
}

}  // namespace molt
