// Prints a trained BPE vocabulary as a tokenizer.json, with the vocabulary in the order of ids.
#include <algorithm>

#include "base/json.h"
#include "text/train_bpe.h"

namespace mixtune {

std::string tokenizer_json(const TrainedBpe& trained, const BpeTraining& training) {
  using Ordered = nlohmann::ordered_json;  // keeps the vocabulary in the order of ids
  Ordered added = Ordered::array();
  std::vector<std::string> seen;
  for (const std::string& token : training.special_tokens) {
    if (std::find(seen.begin(), seen.end(), token) != seen.end()) continue;
    added.push_back({{"id", seen.size()},
                     {"content", token},
                     {"single_word", false},
                     {"lstrip", false},
                     {"rstrip", false},
                     {"normalized", false},
                     {"special", true}});
    seen.push_back(token);
  }
  const Ordered byte_level = {{"type", "ByteLevel"},
                              {"add_prefix_space", false},
                              {"trim_offsets", false},
                              {"use_regex", true}};
  // Tokens are distinct, so they are appended without searching for each.
  Ordered vocabulary = Ordered::object();
  auto& entries = vocabulary.get_ref<Ordered::object_t&>();
  for (size_t id = 0; id < trained.tokens.size(); ++id)
    entries.emplace_back(trained.tokens[id], id);
  Ordered merges = Ordered::array();
  for (const auto& [left, right] : trained.merges)
    merges.push_back(Ordered::array({trained.tokens[left], trained.tokens[right]}));
  const Ordered file = {{"version", "1.0"},
                        {"truncation", nullptr},
                        {"padding", nullptr},
                        {"added_tokens", std::move(added)},
                        {"normalizer", nullptr},
                        {"pre_tokenizer", byte_level},
                        {"post_processor", byte_level},
                        {"decoder", byte_level},
                        {"model",
                         {{"type", "BPE"},
                          {"dropout", nullptr},
                          {"unk_token", nullptr},
                          {"continuing_subword_prefix", nullptr},
                          {"end_of_word_suffix", nullptr},
                          {"fuse_unk", false},
                          {"byte_fallback", false},
                          {"ignore_merges", false},
                          {"vocab", std::move(vocabulary)},
                          {"merges", std::move(merges)}}}};
  return file.dump(1) + '\n';
}

}  // namespace mixtune
