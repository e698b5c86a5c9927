// Where a task's files are: the data folder, the names a set's file may have, and the options that
// name a file outright.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace mixtune {

// The folder in `data`, or its subfolder `name` where that is the one that exists: data may be the
// folder of one task or of all of GLUE. UserError where data is not given or is no folder.
std::filesystem::path data_folder(const std::string& data, const std::string& name);

// The file that an option names: a path of its own, or one within `folder`. UserError where there
// is none.
std::filesystem::path named_file(const std::filesystem::path& folder, const std::string& name,
                                 const std::string& option);

// The first of `names` in the folder, or nothing.
std::optional<std::filesystem::path> first_file(const std::filesystem::path& folder,
                                                const std::vector<std::string>& names);

// For a set without which nothing works: UserError that says what the folder holds instead.
std::filesystem::path required_file(const std::filesystem::path& folder,
                                    const std::vector<std::string>& names,
                                    const std::string& option);

}  // namespace mixtune
