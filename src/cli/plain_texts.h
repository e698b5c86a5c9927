// The texts of a job alone, each on a line, beside its JSON lines: what `mixtune score` takes.
#pragma once

#include <filesystem>
#include <string>

namespace mixtune {

// "texts.jsonl" to "texts.txt".
std::filesystem::path plain_texts_path(const std::filesystem::path& lines);

// UserError where that file stands already and belongs to no unfinished job.
void check_plain_texts(const std::filesystem::path& lines);

// From the "text" of each line; a line break in it becomes a space.
void write_plain_texts(const std::filesystem::path& lines);

}  // namespace mixtune
