// The generated texts of a job, one per line, in a file beside its JSON lines. `mixtune score`
// reads both.
#pragma once

#include <filesystem>
#include <string>

namespace mixtune {

// "texts.txt" for "texts.jsonl".
std::filesystem::path text_lines_path(const std::filesystem::path& lines);

// UserError if that file exists and does not belong to an unfinished job.
void check_text_lines(const std::filesystem::path& lines);

// Writes the "text" of each line; line breaks in it become spaces.
void write_text_lines(const std::filesystem::path& lines);

}  // namespace mixtune
