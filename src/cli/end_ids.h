// The ids that end a text, as a model folder says them: eos_token_id of config.json and of
// generation_config.json, which transformers reads too.
#pragma once

#include <cstdint>
#include <filesystem>
#include <set>

namespace mixtune {

std::set<int32_t> end_ids_of(const std::filesystem::path& model);

// Writes `id` into the folder's generation_config.json beside those that are there.
void add_end_id(const std::filesystem::path& model, int32_t id);

}  // namespace mixtune
