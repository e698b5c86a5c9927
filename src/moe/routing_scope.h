// What a router pools before it decides, and for whom its decision holds. Legend: T tokens, V
// tokens that are pooled, U units, S sequences, C columns.
#pragma once

#include "nn/context.h"

namespace mixtune {

// The unit that decides together: each token for itself; all tokens of a sequence for it
// (`sequence`); its prompt's tokens for the whole of it, so that no token sees a later one
// (`prompt`); all tokens for all sequences (`batch`).
struct RoutingScope {
  enum class Level { token, sequence, prompt, batch } level = Level::token;
  // What is pooled: votes for experts (of layer experts), means of scores or of what they are
  // squashed to.
  enum class Of { votes, probabilities, scores } of = Of::scores;
  int64_t prompt_tokens = 16;  // prompt: of a text that has none, so many tokens at its start
  bool detach_first = false;   // the router's input carries no gradient

  bool is_causal() const { return level == Level::token || level == Level::prompt; }
};
const std::string& level_name(RoutingScope::Level level);
RoutingScope::Level level_named(const std::string& name);
const std::vector<std::string>& level_names();

// For the user of a method on a causal model, which writes token by token: later tokens cannot
// decide then.
std::string warning_of_later_tokens(const RoutingScope& scope, const std::string& method);

// The tokens that are pooled, where a unit is not a single token. `pool` and `rows` must outlive
// it.
class PooledTokens {
 public:
  PooledTokens(const RoutingScope& scope, const SequenceLayout& rows) : scope_(scope), all_(rows) {
    MIXTUNE_CHECK(scope.level != RoutingScope::Level::token, "tokens do not vote");
  }

  // Their rows of an activation: [T, C] to [V, C].
  Tensor of(const Tensor& z) const {
    return scope_.level == RoutingScope::Level::prompt ? z.index_select(0, prompts().index) : z;
  }
  const SequenceLayout& rows() const {
    return scope_.level == RoutingScope::Level::prompt ? prompts().rows : all_;
  }

  int64_t units() const { return is_batch() ? 1 : all_.sequences(); }
  int64_t begin(int64_t level) const { return is_batch() ? 0 : rows().offsets[level]; }
  int64_t end(int64_t level) const {
    return is_batch() ? rows().tokens() : rows().offsets[level + 1];
  }
  // Means over the voters of each unit: [V, C] to [U, C].
  Tensor means(const Tensor& x) const;
  // [U, C] to what holds for each of `out` rows, whose sequences are the same: [out, C], or [1, C]
  // where it is one for all.
  Tensor to_rows(const Tensor& of_units, const SequenceLayout& out) const;

 private:
  bool is_batch() const { return scope_.level == RoutingScope::Level::batch; }
  const SelectedRows& prompts() const;

  const RoutingScope& scope_;
  const SequenceLayout& all_;
  mutable std::optional<SelectedRows> prompts_;  // found when they are first asked for
};

// x [T, C] to the mean over its unit at each token, [T, C]; x itself where tokens decide for
// themselves. While texts are written, what their first run pooled (the prompts) stands for the
// rest of them, under the name of the router and the call's path; with an averaged cache, in which
// one path has the keys and values of several, it has no place (check_decoding).
Tensor pooled(const Tensor& x, const RoutingScope& scope, const Call& call,
              const std::string& router);

}  // namespace mixtune
