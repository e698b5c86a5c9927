#include "nn/key_value_cache.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "tensor/clones.h"
#include "tensor/exp.h"

namespace mixtune {
namespace {

// The cache of one head of one sequence; `row` floats from token to token.
struct Head {
  const float *keys, *values;
  int64_t row, width;
};

constexpr int64_t kLanes = 8;
using Lanes [[gnu::vector_size(32), gnu::aligned(4), gnu::may_alias]] = float;

__attribute__((always_inline)) inline const Lanes& load(const float* x) {
  return *reinterpret_cast<const Lanes*>(x);
}

// Sums of adjacent lanes: 4 of x, then 4 of y. Vectors are passed by reference, since returning one
// would change the ABI on CPUs without such registers.
__attribute__((always_inline)) inline void fold(const Lanes& x, const Lanes& y, Lanes& out) {
  out = __builtin_shufflevector(x, y, 0, 2, 4, 6, 8, 10, 12, 14) +
        __builtin_shufflevector(x, y, 1, 3, 5, 7, 9, 11, 13, 15);
}

// In place: scores begin to end become e^(score - largest); returns their sum.
__attribute__((always_inline)) inline float exponentials(float* scores, int64_t begin,
                                                         int64_t end) {
  float largest = -std::numeric_limits<float>::infinity();
#pragma omp simd reduction(max : largest)
  for (int64_t j = begin; j < end; ++j) largest = scores[j] > largest ? scores[j] : largest;
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t j = begin; j < end; ++j) {
    scores[j] = exp_of(scores[j] - largest);
    sum += scores[j];
  }
  return sum;
}

// Attention of one query to tokens [begin, end) of a sequence: out [d]. `scores` has space for
// end + kLanes floats.
MIXTUNE_CLONES void attend_one(const float* query, const Head& head, int64_t begin, int64_t end,
                               float scale, float* scores, float* out) {
  const int64_t d = head.width;
  for (int64_t j = begin; j < end; ++j) {
    const float* key = head.keys + j * head.row;
    float dot = 0;
#pragma omp simd reduction(+ : dot)
    for (int64_t c = 0; c < d; ++c) dot += query[c] * key[c];
    scores[j] = dot * scale;
  }
  const float inverse = 1.0f / exponentials(scores, begin, end);
  std::fill_n(out, d, 0.0f);
  for (int64_t j = begin; j < end; ++j) {
    const float* value = head.values + j * head.row;
    const float p = scores[j] * inverse;
#pragma omp simd
    for (int64_t c = 0; c < d; ++c) out[c] += p * value[c];
  }
}

// The same for d a multiple of kLanes: computes 8 products at a time, to reduce their lanes
// together, and four independent sums of values, to hide the latency of additions.
MIXTUNE_CLONES void attend_in_lanes(const float* query, const Head& head, int64_t begin,
                                    int64_t end, float scale, float* scores, float* out) {
  const int64_t d = head.width, row = head.row;
  for (int64_t j = begin; j < end; j += kLanes) {
    Lanes sums[kLanes];
    const float* key[kLanes];
#pragma GCC unroll 8
    for (int64_t n = 0; n < kLanes; ++n) {
      sums[n] = Lanes{};
      key[n] = head.keys + std::min(j + n, end - 1) * row;  // never reads past the end
    }
    for (int64_t c = 0; c < d; c += kLanes) {
      const Lanes q = load(query + c);
#pragma GCC unroll 8
      for (int64_t n = 0; n < kLanes; ++n) sums[n] += q * load(key[n] + c);
    }
#pragma GCC unroll 3
    for (int64_t count = kLanes / 2; count >= 1; count /= 2)
#pragma GCC unroll 4
      for (int64_t n = 0; n < count; ++n) fold(sums[2 * n], sums[2 * n + 1], sums[n]);
    *reinterpret_cast<Lanes*>(scores + j) = sums[0] * scale;
  }
  const float inverse = 1.0f / exponentials(scores, begin, end);
  for (int64_t c = 0; c < d; c += kLanes) {
    const float* value = head.values + c;
    Lanes one{}, two{}, three{}, four{};
    int64_t j = begin;
    for (; j + 4 <= end; j += 4) {
      one += scores[j] * load(value + j * row);
      two += scores[j + 1] * load(value + (j + 1) * row);
      three += scores[j + 2] * load(value + (j + 2) * row);
      four += scores[j + 3] * load(value + (j + 3) * row);
    }
    for (; j < end; ++j) one += scores[j] * load(value + j * row);
    *reinterpret_cast<Lanes*>(out + c) = ((one + two) + (three + four)) * inverse;
  }
}

// query [Tq, H d] is a float tensor on the CPU; `cached` has the keys and values of each sequence.
Tensor attend_on_host(const Tensor& query, const std::vector<Tensor>& cached,
                      const SequenceLayout& query_rows, const AttentionShape& shape) {
  const int64_t d = shape.head_width, groups = shape.groups(), share = shape.heads / groups;
  const float scale =
      shape.scale != 0 ? static_cast<float>(shape.scale) : 1.0f / std::sqrt(static_cast<float>(d));
  const Tensor out = at::empty({query.size(0), shape.heads * d}, query.options());
  const int64_t* position = query_rows.token.const_data_ptr<int64_t>();
  const float* queries = query.const_data_ptr<float>();
  float* to = out.data_ptr<float>();
  const auto attend = d % kLanes == 0 ? attend_in_lanes : attend_one;
  at::parallel_for(0, query_rows.sequences() * groups, 1, [&](int64_t first, int64_t last) {
    std::vector<float> scores;
    for (int64_t i = first; i < last; ++i) {
      const int64_t s = i / groups, g = i % groups;
      const Tensor& sequence = cached[s];
      const float* data = sequence.const_data_ptr<float>();
      const Head head{data + g * d, data + shape.key_columns() + g * d, sequence.stride(0), d};
      scores.resize(std::max(scores.size(), static_cast<size_t>(sequence.size(0) + kLanes)));
      for (int64_t r = query_rows.offsets[s]; r < query_rows.offsets[s + 1]; ++r) {
        const int64_t end = position[r] + 1;
        const int64_t begin = shape.window > 0 ? std::max<int64_t>(0, end - shape.window) : 0;
        for (int64_t h = g * share; h < (g + 1) * share; ++h)
          attend(queries + r * query.stride(0) + h * d, head, begin, end, scale, scores.data(),
                 to + r * shape.heads * d + h * d);
      }
    }
  });
  return out;
}

// The layout of the cached sequences, as packed_attention requires it for the keys.
SequenceLayout cached_rows(const std::vector<Tensor>& cached, const SequenceLayout& rows) {
  SequenceLayout out;
  out.offsets.push_back(0);
  std::vector<Tensor> tokens;
  for (const Tensor& sequence : cached) {
    out.offsets.push_back(out.offsets.back() + sequence.size(0));
    tokens.push_back(at::arange(sequence.size(0), rows.token.options()));
  }
  out.token = at::cat(tokens, 0);
  out.example = at::zeros_like(out.token);
  return out;
}

// Copies `count` rows of x, starting at `corner` (row, column) and as wide as `to`, to the rows of
// `to` from `first` on. On the CPU this avoids a tensor operation per sequence in every step.
void copy_rows(const Tensor& x, std::pair<int64_t, int64_t> corner, const Tensor& to, int64_t first,
               int64_t count) {
  const int64_t width = to.size(1);
  if (!x.is_cpu() || x.stride(1) != 1 || x.scalar_type() != to.scalar_type()) {
    to.narrow(0, first, count)
        .copy_(x.narrow(0, corner.first, count).narrow(1, corner.second, width));
    return;
  }
  const auto size = static_cast<size_t>(x.element_size());
  const auto* from = static_cast<const std::byte*>(x.const_data_ptr());
  auto* target = static_cast<std::byte*>(to.data_ptr());
  for (int64_t r = 0; r < count; ++r)
    std::memcpy(target + static_cast<size_t>((first + r) * width) * size,
                from + static_cast<size_t>((corner.first + r) * x.stride(0) + corner.second) * size,
                static_cast<size_t>(width) * size);
}

}  // namespace

void KeyValueCache::append(const CallPath& path, const Tensor& x,
                           std::pair<int64_t, int64_t> columns, const SequenceLayout& rows) {
  const at::NoGradGuard no_grad;
  std::vector<Text>& texts = texts_[path];
  const std::vector<int64_t> indices = rows.example_of_sequence();
  const int64_t width = columns.second - columns.first;
  for (int64_t s = 0; s < rows.sequences(); ++s) {
    const int64_t index = indices[s], count = rows.length(s);
    MIXTUNE_CHECK(index >= 0, "sequence " + std::to_string(index));
    if (index >= static_cast<int64_t>(texts.size())) texts.resize(static_cast<size_t>(index) + 1);
    Text& text = texts[index];
    const int64_t capacity = text.buffer.defined() ? text.buffer.size(0) : 0;
    if (text.tokens + count > capacity) {
      const Tensor larger = at::empty(
          {std::max<int64_t>(text.tokens + count + 16, 2 * capacity), width}, x.options());
      if (text.tokens > 0)
        larger.narrow(0, 0, text.tokens).copy_(text.buffer.narrow(0, 0, text.tokens));
      text.buffer = larger;
    }
    copy_rows(x, {rows.offsets[s], columns.first}, text.buffer, text.tokens, count);
    text.tokens += count;
  }
}

Tensor KeyValueCache::of(const CallPath& path, int64_t text) const {
  const auto found = texts_.find(path);
  if (found == texts_.end() || text >= static_cast<int64_t>(found->second.size())) return {};
  const Text& one = found->second[text];
  return one.tokens > 0 ? one.buffer.narrow(0, 0, one.tokens) : Tensor();
}

void KeyValueCache::keep(const std::vector<int64_t>& texts) {
  for (auto& [path, old] : texts_) {
    std::vector<Text> kept(texts.size());
    std::vector<bool> taken(old.size());
    for (size_t i = 0; i < texts.size(); ++i) {
      const auto index = static_cast<size_t>(texts[i]);
      if (index >= old.size()) continue;
      kept[i] = old[index];
      if (taken[index] && kept[i].buffer.defined()) kept[i].buffer = kept[i].buffer.clone();
      taken[index] = true;
    }
    old = std::move(kept);
  }
}

void KeyValueCache::copy(const CallPath& from, const CallPath& to) {
  const at::NoGradGuard no_grad;
  std::vector<Text> copied = texts_[from];
  for (Text& text : copied)
    if (text.buffer.defined()) text.buffer = text.buffer.clone();  // both are appended to
  texts_[to] = std::move(copied);
}

void KeyValueCache::average(const CallPath& own, const std::vector<CallPath>& others, double a,
                            double o) {
  const at::NoGradGuard no_grad;
  for (size_t s = 0; s < others.size(); ++s) {
    const auto text = static_cast<int64_t>(s);
    const Tensor mine = of(own, text), other = of(others[s], text);
    MIXTUNE_CHECK(mine.defined(), "sequence " + std::to_string(text) + " has no cache");
    if (other.defined())
      mine.mul_(a).add_(other, o);
    else
      mine.mul_(a + o);
  }
  for (const CallPath& other : others) texts_.erase(other);
}

Tensor attend(const Tensor& query, const Tensor& key_value, const SequenceLayout& query_rows,
              const Call& call, const AttentionShape& shape, const DropoutMask& mask) {
  KeyValueCache* state = call.context.decode;
  if (state == nullptr)
    return packed_attention(query, key_value, query_rows, call.rows, shape, mask);
  MIXTUNE_CHECK(shape.causal && !mask.active(), "decoding needs a causal model and no dropout");
  const std::vector<int64_t> texts = call.rows.example_of_sequence();
  bool starts = true;  // no sequence has a cache yet
  for (const int64_t text : texts) starts = starts && !state->of(call.path, text).defined();
  const int64_t first = query.defined() ? 0 : shape.query_columns();
  state->append(call.path, key_value, {first, first + 2 * shape.key_columns()}, call.rows);
  if (starts) return packed_attention(query, key_value, query_rows, call.rows, shape, mask);

  std::vector<Tensor> cached;
  for (const int64_t text : texts) cached.push_back(state->of(call.path, text));
  const Tensor queries = query.defined() ? query : key_value.narrow(1, 0, shape.query_columns());
  if (queries.is_cpu() && queries.scalar_type() == at::kFloat && shape.cap == 0)
    return attend_on_host(queries, cached, query_rows, shape);
  return packed_attention(queries, at::cat(cached, 0), query_rows, cached_rows(cached, call.rows),
                          shape, mask);
}

}  // namespace mixtune
