// Routing scope: the tokens that a router pools for one decision and the tokens to which the
// decision applies. Legend: T tokens, V pooled tokens, U decisions, S sequences, C columns.
#pragma once

#include "nn/context.h"

namespace mixtune {

// The scope of one decision: each token (`token`); the tokens of a sequence (`sequence`); the
// prompt's tokens, with a decision for the whole sequence, so that no token depends on a later one
// (`prompt`); all tokens of the batch (`batch`).
struct RoutingScope {
  enum class Level { token, sequence, prompt, batch } level = Level::token;
  // What is pooled: votes for experts (layer experts only), or means of probabilities or scores.
  enum class Of { votes, probabilities, scores } of = Of::scores;
  int64_t prompt_tokens = 16;  // prompt: initial tokens used if a sequence has no prompt
  bool detach_first = false;   // the router's input carries no gradient

  bool is_causal() const { return level == Level::token || level == Level::prompt; }
};
const std::string& level_name(RoutingScope::Level level);
RoutingScope::Level level_named(const std::string& name);
const std::vector<std::string>& level_names();

// A warning for methods on a causal model: in generation, token by token, later tokens cannot take
// part in a decision.
std::string warning_of_later_tokens(const RoutingScope& scope, const std::string& method);

// The pooled tokens of a scope wider than a single token. `scope` and `rows` must outlive it.
class PooledTokens {
 public:
  PooledTokens(const RoutingScope& scope, const SequenceLayout& rows) : scope_(scope), all_(rows) {
    MIXTUNE_CHECK(scope.level != RoutingScope::Level::token,
                  "a scope of single tokens pools nothing");
  }

  // The pooled rows of an activation: [T, C] to [V, C].
  Tensor of(const Tensor& z) const {
    return scope_.level == RoutingScope::Level::prompt ? z.index_select(0, prompts().index) : z;
  }
  const SequenceLayout& rows() const {
    return scope_.level == RoutingScope::Level::prompt ? prompts().rows : all_;
  }

  int64_t units() const { return is_batch() ? 1 : all_.sequences(); }
  int64_t begin(int64_t decision) const { return is_batch() ? 0 : rows().offsets[decision]; }
  int64_t end(int64_t decision) const {
    return is_batch() ? rows().tokens() : rows().offsets[decision + 1];
  }
  // Means over the pooled tokens of each decision: [V, C] to [U, C].
  Tensor means(const Tensor& x) const;
  // Expands values per decision [U, C] to the rows of `out`, which has the same sequences: [out,
  // C], or [1, C] if one value holds for all.
  Tensor to_rows(const Tensor& of_units, const SequenceLayout& out) const;

 private:
  bool is_batch() const { return scope_.level == RoutingScope::Level::batch; }
  const SelectedRows& prompts() const;

  const RoutingScope& scope_;
  const SequenceLayout& all_;
  mutable std::optional<SelectedRows> prompts_;  // computed on first use
};

// x [T, C] with each row replaced by the mean over its scope, [T, C]; x itself for a scope of
// single tokens. In generation, the means of the first run (the prompts) are stored under the
// router's name and the call's path and reused. Not compatible with an averaged cache, in which one
// path has the keys and values of several (check_decoding).
Tensor pooled(const Tensor& x, const RoutingScope& scope, const Call& call,
              const std::string& router);

}  // namespace mixtune
