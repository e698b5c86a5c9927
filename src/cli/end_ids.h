// The end-of-text token ids of a model folder: eos_token_id in config.json and in
// generation_config.json, as in transformers.
#pragma once

#include <cstdint>
#include <filesystem>
#include <set>

namespace mixtune {

std::set<int32_t> end_ids_of(const std::filesystem::path& model);

// Adds `id` to the end-of-text ids in the folder's generation_config.json.
void add_end_id(const std::filesystem::path& model, int32_t id);

}  // namespace mixtune
