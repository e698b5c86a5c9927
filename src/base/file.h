// Whole files in and out. Writes that matter are atomic: a temporary file beside the target, fsync,
// rename.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

namespace mixtune {

// The bytes of a file. UserError where it is missing, a folder or not readable.
std::string read_file(const std::filesystem::path& path);

// Replaces `path` by `content` as one step: a reader sees the old file or the new one, never a
// part. UserError (disk full, not writable) leaves the old file as it was and no temporary behind.
void write_file_atomically(const std::filesystem::path& path, std::string_view content);

// As above for content that is too large to hold in one string: `write` gets a sink to call in
// order.
using ByteSink = std::function<void(const void* data, size_t bytes)>;
void write_file_atomically(const std::filesystem::path& path,
                           const std::function<void(const ByteSink&)>& write);

// Creates a folder and its parents. UserError where that is not possible.
void create_folder(const std::filesystem::path& path);

}  // namespace mixtune
