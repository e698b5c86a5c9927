#include "train/voting_tokens.h"

#include <algorithm>

namespace mixtune {
namespace {

void begin_at(std::vector<TokenSpan>& spans, int64_t first) {
  for (TokenSpan& span : spans) span.begin = std::max(span.begin, first);
  std::erase_if(spans, [](const TokenSpan& span) { return span.begin >= span.end; });
}

}  // namespace

int64_t voting_tokens(const std::vector<Sentence>& sentences) {
  int64_t out = 0;
  const auto count = [&](const Pool& pool) {
    if (pool.unit == Pool::Unit::prompt) out = std::max(out, pool.prompt_tokens);
  };
  for (const Sentence& sentence : sentences) {
    if (sentence.routing) count(sentence.routing->pool);
    if (!sentence.router) continue;
    const ChoiceSource source = sentence.router->source;
    if (source == ChoiceSource::learned || source == ChoiceSource::frozen)
      count(sentence.router->pool);
  }
  return out;
}

void leave_voters_out(EncodedExamples& encoded, int64_t voters) {
  if (voters == 0) return;
  int64_t tokens = 0, texts = 0;
  std::vector<EncodedExample> kept;
  kept.reserve(encoded.examples.size());
  for (EncodedExample& example : encoded.examples) {
    const int64_t asked = example.supervised_tokens();
    begin_at(example.supervised, example.prompt > 0 ? example.prompt : voters);
    tokens += asked - example.supervised_tokens();
    if (asked > 0 && example.supervised.empty())
      ++texts;
    else
      kept.push_back(std::move(example));
  }
  encoded.examples = std::move(kept);
  if (tokens == 0) return;
  std::string note =
      std::to_string(tokens) +
      " tokens choose blocks or experts for their text and are not learnt: those of prompts, "
      "else the first prompt_tokens (" +
      std::to_string(voters) + ")";
  if (texts > 0) note += "; " + std::to_string(texts) + " texts have no others and are left out";
  encoded.notes.push_back(note);
}

}  // namespace mixtune
