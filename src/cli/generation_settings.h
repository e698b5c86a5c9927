// The options of `mixtune generate`, declared once: flags, help, range errors and the settings that
// are stored beside an unfinished output are derived from these fields.
#pragma once

#include "base/fields.h"
#include "models/generate.h"

namespace mixtune {

struct GenerationSettings final : Config {
  int64_t max_new_tokens = 64, min_new_tokens = 0;
  int64_t num_beams = 1, num_return_sequences = 1;
  double length_penalty = 1;
  std::string early_stopping = "false";
  double repetition_penalty = 1;
  int64_t no_repeat_ngram_size = 0;
  bool do_sample = false;
  double temperature = 1, top_p = 1, min_p = 0, typical_p = 1;
  int64_t top_k = 0, seed = 0;
  std::vector<std::string> stop_strings;
  std::optional<std::vector<int64_t>> eos_token_id;
  std::string too_long = "reject", cache = "auto";
  bool show_special_tokens = false;
  int64_t batch_size = 16;

  void fields(FieldVisitor& v) override;
  std::optional<FieldProblem> check() const override;

  // All but the options of one batch (`streams`, `ends`). `stops`: the ids that end a text.
  GenerateOptions options(const std::vector<int32_t>& stops) const;
};

}  // namespace mixtune
