#include "train/routing_tokens.h"

#include <algorithm>

namespace mixtune {
namespace {

void begin_at(std::vector<TokenSpan>& spans, int64_t first) {
  for (TokenSpan& span : spans) span.begin = std::max(span.begin, first);
  std::erase_if(spans, [](const TokenSpan& span) { return span.begin >= span.end; });
}

}  // namespace

int64_t routing_tokens(const std::vector<AdapterSpec>& specs) {
  int64_t out = 0;
  const auto count = [&](const RoutingScope& scope) {
    if (scope.level == RoutingScope::Level::prompt) out = std::max(out, scope.prompt_tokens);
  };
  for (const AdapterSpec& spec : specs) {
    if (spec.routing) count(spec.routing->scope);
    if (!spec.router) continue;
    const ChoiceSource source = spec.router->source;
    if (source == ChoiceSource::learned || source == ChoiceSource::frozen)
      count(spec.router->scope);
  }
  return out;
}

void exclude_routing_tokens(EncodedExamples& encoded, int64_t pooled_tokens) {
  if (pooled_tokens == 0) return;
  int64_t tokens = 0, removed = 0;
  std::vector<EncodedExample> kept;
  kept.reserve(encoded.examples.size());
  for (EncodedExample& example : encoded.examples) {
    const int64_t supervised = example.supervised_tokens();
    begin_at(example.supervised, example.prompt > 0 ? example.prompt : pooled_tokens);
    tokens += supervised - example.supervised_tokens();
    if (supervised > 0 && example.supervised.empty())
      ++removed;
    else
      kept.push_back(std::move(example));
  }
  encoded.examples = std::move(kept);
  if (tokens == 0) return;
  std::string note =
      std::to_string(tokens) +
      " tokens determine the routing of their sequence and are not supervised: the tokens of the "
      "prompt, or else the first prompt_tokens (" +
      std::to_string(pooled_tokens) + ")";
  if (removed > 0)
    note += "; " + std::to_string(removed) +
            " sequences have no other supervised tokens and are "
            "left out";
  encoded.notes.push_back(note);
}

}  // namespace mixtune
