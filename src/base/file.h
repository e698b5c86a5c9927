// Reads and writes whole files. Files are replaced atomically: a temporary file beside the target,
// fsync, rename.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

namespace mixtune {

// The bytes of a file. UserError if it is missing, a folder or not readable.
std::string read_file(const std::filesystem::path& path);

// Replaces `path` by `content` in one step: a reader gets the old file or the new one, never a
// part. After a UserError (disk full, not writable) the old file is unchanged and no temporary file
// is left.
void write_file_atomically(const std::filesystem::path& path, std::string_view content);

// The same for content that is too large for one string: `write` calls the sink with the parts in
// order.
using ByteSink = std::function<void(const void* data, size_t bytes)>;
void write_file_atomically(const std::filesystem::path& path,
                           const std::function<void(const ByteSink&)>& write);

// Creates a folder and its parents. UserError if that is not possible.
void create_folder(const std::filesystem::path& path);

}  // namespace mixtune
