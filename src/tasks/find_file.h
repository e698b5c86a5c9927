// Locates a task's files: the data folder, the possible file names of a data set, and the options
// that name a file directly.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace mixtune {

// The folder `data`, or its subfolder `name` if that exists: `data` may be the folder of one task
// or of all of GLUE. Throws UserError if `data` is empty or not a folder.
std::filesystem::path data_folder(const std::string& data, const std::string& name);

// The file that an option names: a path within `folder`, or a path of its own. Throws UserError if
// there is no such file.
std::filesystem::path named_file(const std::filesystem::path& folder, const std::string& name,
                                 const std::string& option);

// The first of `names` in the folder, or nothing.
std::optional<std::filesystem::path> first_file(const std::filesystem::path& folder,
                                                const std::vector<std::string>& names);

// For a required data set: throws a UserError that lists what the folder contains instead.
std::filesystem::path required_file(const std::filesystem::path& folder,
                                    const std::vector<std::string>& names,
                                    const std::string& option);

}  // namespace mixtune
