#include "nn/decode_state.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "tensor/clones.h"
#include "tensor/exp.h"

namespace molt {
namespace {

// The text of each sequence of `rows`.
std::vector<int64_t> texts_of(const Rows& rows) {
  const Tensor example = rows.example.to(at::kCPU);
  std::vector<int64_t> out;
  for (int64_t s = 0; s < rows.sequences(); ++s)
    out.push_back(example.const_data_ptr<int64_t>()[rows.offsets[s]]);
  return out;
}

// One head of one text: `row` floats from token to token.
struct Head {
  const float *keys, *values;
  int64_t row, width;
};

// One query against tokens begin to end of a text: out [d]. `scores` holds end floats.
MOLT_CLONES void attend_one(const float* query, const Head& head, int64_t begin, int64_t end,
                            float scale, float* scores, float* out) {
  const int64_t d = head.width;
  float largest = -std::numeric_limits<float>::infinity();
  for (int64_t j = begin; j < end; ++j) {
    const float* key = head.keys + j * head.row;
    float dot = 0;
#pragma omp simd reduction(+ : dot)
    for (int64_t c = 0; c < d; ++c) dot += query[c] * key[c];
    scores[j] = dot * scale;
    largest = scores[j] > largest ? scores[j] : largest;
  }
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t j = begin; j < end; ++j) {
    scores[j] = exp_of(scores[j] - largest);
    sum += scores[j];
  }
  std::fill_n(out, d, 0.0f);
  const float inverse = 1.0f / sum;
  for (int64_t j = begin; j < end; ++j) {
    const float* value = head.values + j * head.row;
    const float p = scores[j] * inverse;
#pragma omp simd
    for (int64_t c = 0; c < d; ++c) out[c] += p * value[c];
  }
}

// query [Tq, H d], a float tensor on the CPU; standing: the keys and values of each sequence.
Tensor attend_on_host(const Tensor& query, const std::vector<Tensor>& standing,
                      const Rows& query_rows, const AttentionShape& shape) {
  const int64_t d = shape.head_width, groups = shape.groups(), share = shape.heads / groups;
  const float scale =
      shape.scale != 0 ? static_cast<float>(shape.scale) : 1.0f / std::sqrt(static_cast<float>(d));
  const Tensor out = at::empty({query.size(0), shape.heads * d}, query.options());
  const int64_t* position = query_rows.token.const_data_ptr<int64_t>();
  const float* queries = query.const_data_ptr<float>();
  float* to = out.data_ptr<float>();
  at::parallel_for(0, query_rows.sequences() * groups, 1, [&](int64_t first, int64_t last) {
    std::vector<float> scores;
    for (int64_t i = first; i < last; ++i) {
      const int64_t s = i / groups, g = i % groups;
      const Tensor& text = standing[s];
      const float* data = text.const_data_ptr<float>();
      const Head head{data + g * d, data + shape.key_columns() + g * d, text.stride(0), d};
      scores.resize(std::max(scores.size(), static_cast<size_t>(text.size(0))));
      for (int64_t r = query_rows.offsets[s]; r < query_rows.offsets[s + 1]; ++r) {
        const int64_t end = position[r] + 1;
        const int64_t begin = shape.window > 0 ? std::max<int64_t>(0, end - shape.window) : 0;
        for (int64_t h = g * share; h < (g + 1) * share; ++h)
          attend_one(queries + r * query.stride(0) + h * d, head, begin, end, scale, scores.data(),
                     to + r * shape.heads * d + h * d);
      }
    }
  });
  return out;
}

// The rows of whole texts, which packed_attention takes for keys.
Rows whole_rows(const std::vector<Tensor>& standing, const Rows& rows) {
  Rows out;
  out.offsets.push_back(0);
  std::vector<Tensor> tokens;
  for (const Tensor& text : standing) {
    out.offsets.push_back(out.offsets.back() + text.size(0));
    tokens.push_back(at::arange(text.size(0), rows.token.options()));
  }
  out.token = at::cat(tokens, 0);
  out.example = at::zeros_like(out.token);
  return out;
}

}  // namespace

void DecodeState::append(const CallPath& path, const Tensor& x, std::pair<int64_t, int64_t> columns,
                         const Rows& rows) {
  const at::NoGradGuard no_grad;
  std::vector<Text>& texts = texts_[path];
  const std::vector<int64_t> numbers = texts_of(rows);
  const int64_t width = columns.second - columns.first;
  for (int64_t s = 0; s < rows.sequences(); ++s) {
    const int64_t number = numbers[s], count = rows.length(s);
    MOLT_CHECK(number >= 0, "text " + std::to_string(number));
    if (number >= static_cast<int64_t>(texts.size())) texts.resize(static_cast<size_t>(number) + 1);
    Text& text = texts[number];
    const int64_t capacity = text.buffer.defined() ? text.buffer.size(0) : 0;
    if (text.tokens + count > capacity) {
      const Tensor larger = at::empty(
          {std::max<int64_t>(text.tokens + count + 16, 2 * capacity), width}, x.options());
      if (text.tokens > 0)
        larger.narrow(0, 0, text.tokens).copy_(text.buffer.narrow(0, 0, text.tokens));
      text.buffer = larger;
    }
    text.buffer.narrow(0, text.tokens, count)
        .copy_(x.narrow(0, rows.offsets[s], count).narrow(1, columns.first, width));
    text.tokens += count;
  }
}

Tensor DecodeState::of(const CallPath& path, int64_t text) const {
  const auto found = texts_.find(path);
  if (found == texts_.end() || text >= static_cast<int64_t>(found->second.size())) return {};
  const Text& one = found->second[text];
  return one.tokens > 0 ? one.buffer.narrow(0, 0, one.tokens) : Tensor();
}

void DecodeState::keep(const std::vector<int64_t>& texts) {
  for (auto& [path, old] : texts_) {
    std::vector<Text> kept(texts.size());
    std::vector<bool> taken(old.size());
    for (size_t i = 0; i < texts.size(); ++i) {
      const auto number = static_cast<size_t>(texts[i]);
      if (number >= old.size()) continue;
      kept[i] = old[number];
      if (taken[number] && kept[i].buffer.defined()) kept[i].buffer = kept[i].buffer.clone();
      taken[number] = true;
    }
    old = std::move(kept);
  }
}

void DecodeState::copy(const CallPath& from, const CallPath& to) {
  const at::NoGradGuard no_grad;
  std::vector<Text> copied = texts_[from];
  for (Text& text : copied)
    if (text.buffer.defined()) text.buffer = text.buffer.clone();  // both are appended to
  texts_[to] = std::move(copied);
}

void DecodeState::average(const CallPath& own, const std::vector<CallPath>& others, double a,
                          double o) {
  const at::NoGradGuard no_grad;
  for (size_t s = 0; s < others.size(); ++s) {
    const auto text = static_cast<int64_t>(s);
    const Tensor mine = of(own, text), other = of(others[s], text);
    MOLT_CHECK(mine.defined(), "text " + std::to_string(text) + " has not run");
    if (other.defined())
      mine.mul_(a).add_(other, o);
    else
      mine.mul_(a + o);
  }
  for (const CallPath& other : others) texts_.erase(other);
}

Tensor attend(const Tensor& query, const Tensor& key_value, const Rows& query_rows,
              const Call& call, const AttentionShape& shape, const DropoutMask& mask) {
  DecodeState* state = call.context.decode;
  if (state == nullptr)
    return packed_attention(query, key_value, query_rows, call.rows, shape, mask);
  MOLT_CHECK(shape.causal && !mask.active(), "decoding needs a causal model and no dropout");
  const std::vector<int64_t> texts = texts_of(call.rows);
  bool starts = true;
  for (const int64_t text : texts) starts = starts && !state->of(call.path, text).defined();
  const int64_t first = query.defined() ? 0 : shape.query_columns();
  state->append(call.path, key_value, {first, first + 2 * shape.key_columns()}, call.rows);
  if (starts) return packed_attention(query, key_value, query_rows, call.rows, shape, mask);

  std::vector<Tensor> standing;
  for (const int64_t text : texts) standing.push_back(state->of(call.path, text));
  const Tensor queries = query.defined() ? query : key_value.narrow(1, 0, shape.query_columns());
  if (queries.is_cpu() && queries.scalar_type() == at::kFloat && shape.cap == 0)
    return attend_on_host(queries, standing, query_rows, shape);
  return packed_attention(queries, at::cat(standing, 0), query_rows,
                          whole_rows(standing, call.rows), shape, mask);
}

}  // namespace molt
