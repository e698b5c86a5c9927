#include "moe/routing_scope.h"

#include <algorithm>

#include "nn/key_value_cache.h"

namespace mixtune {
namespace {

// The number of pooled tokens at the start of each sequence.
std::vector<int64_t> prompt_lengths(const SequenceLayout& rows, int64_t fallback) {
  std::vector<int64_t> out;
  for (int64_t s = 0; s < rows.sequences(); ++s) {
    const int64_t given = rows.prompt.empty() ? 0 : rows.prompt[s];
    out.push_back(given > 0 ? given : std::min(fallback, rows.length(s)));
  }
  return out;
}

// The first lengths[s] tokens of each sequence s.
SelectedRows starts_of(const SequenceLayout& rows, const std::vector<int64_t>& lengths) {
  SelectedRows out;
  out.rows.offsets.push_back(0);
  std::vector<int64_t> index;
  for (int64_t s = 0; s < rows.sequences(); ++s) {
    MIXTUNE_CHECK(lengths[s] > 0 && lengths[s] <= rows.length(s), std::to_string(lengths[s]));
    for (int64_t n = 0; n < lengths[s]; ++n) index.push_back(rows.offsets[s] + n);
    out.rows.offsets.push_back(static_cast<int64_t>(index.size()));
  }
  out.index = at::tensor(index, at::kLong).to(rows.example.device());
  out.rows.example = rows.example.index_select(0, out.index);
  out.rows.token = rows.token.index_select(0, out.index);
  return out;
}

}  // namespace

const std::vector<std::string>& level_names() {
  static const std::vector<std::string> names = {"token", "sequence", "prompt", "batch"};
  return names;
}

const std::string& level_name(RoutingScope::Level level) {
  return level_names().at(static_cast<size_t>(level));
}

RoutingScope::Level level_named(const std::string& name) {
  const auto& names = level_names();
  const auto found = std::find(names.begin(), names.end(), name);
  MIXTUNE_CHECK(found != names.end(), "scope level " + name);
  return static_cast<RoutingScope::Level>(found - names.begin());
}

std::string warning_of_later_tokens(const RoutingScope& scope, const std::string& method) {
  return method + ": a router that pools by " + level_name(scope.level) +
         " lets later tokens influence the routing of earlier ones, so generation routes "
         "differently from training; use prompt on decoders";
}

const SelectedRows& PooledTokens::prompts() const {
  if (!prompts_) prompts_ = starts_of(all_, prompt_lengths(all_, scope_.prompt_tokens));
  return *prompts_;
}

Tensor PooledTokens::means(const Tensor& x) const {
  if (is_batch()) return x.mean(0, true);
  Tensor sums = at::zeros({units(), x.size(1)}, x.options());
  sums = sums.index_add(0, rows().sequence_of_row(), x);
  std::vector<double> lengths;
  for (int64_t s = 0; s < units(); ++s) lengths.push_back(static_cast<double>(rows().length(s)));
  return sums / at::tensor(lengths).to(x.options()).unsqueeze(1);
}

Tensor PooledTokens::to_rows(const Tensor& of_units, const SequenceLayout& out) const {
  return of_units.size(0) == 1 ? of_units : of_units.index_select(0, out.sequence_of_row());
}

Tensor pooled(const Tensor& x, const RoutingScope& scope, const Call& call,
              const std::string& router) {
  if (scope.level == RoutingScope::Level::token) return x;
  MIXTUNE_CHECK(x.size(0) == call.rows.tokens(), shape_text(x));
  const PooledTokens pooled_tokens(scope, call.rows);
  const auto of_rows = [&](const Tensor& values) {            // [U, C] to [T, C]
    if (values.size(0) == call.rows.tokens()) return values;  // one new token per sequence
    return pooled_tokens.to_rows(values, call.rows).expand({call.rows.tokens(), x.size(1)});
  };
  const auto means = [&] { return pooled_tokens.means(pooled_tokens.of(x)); };  // [U, C]
  if (!call.context.generates()) return of_rows(means());
  const KeyValueCache* state = call.context.decode;
  MIXTUNE_CHECK(state == nullptr || !state->averages(), "a pooled router beside an averaged cache");
  return of_rows(call.context.pooled(router, call.path, call.rows, [&] {
    return means().expand({call.rows.sequences(), x.size(1)});
  }));
}

}  // namespace mixtune
