#include "nn/attention.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "tensor/clones.h"
#include "tensor/exp.h"

// Legend: Tq query rows, T key rows, H heads, G key-value heads, d width of a head; nq and n: query
// and key rows of one sequence.

// BLAS of libtorch's own library, where it exports the symbol. Each call multiplies the matrices of
// one head of one sequence.
extern "C" __attribute__((weak)) void sgemm_(const char* trans_a, const char* trans_b, const int* m,
                                             const int* n, const int* k, const float* alpha,
                                             const float* a, const int* lda, const float* b,
                                             const int* ldb, const float* beta, float* c,
                                             const int* ldc);

namespace mixtune {
namespace {

// A row-major matrix inside a larger one; `stride` is the number of elements from row to row.
struct Matrix {
  float* data;
  int64_t stride;
};

enum class Transpose { no, yes };

// c [m, n] = alpha * op(a) op(b) + beta * c, with op(a) [m, k] and op(b) [k, n]. c is not read when
// beta is 0.
void multiply(Matrix a, Transpose ta, Matrix b, Transpose tb, Matrix c, int64_t m, int64_t n,
              int64_t k, float alpha, float beta = 0) {
  if (sgemm_ != nullptr) {
    const int im = static_cast<int>(m), in = static_cast<int>(n), ik = static_cast<int>(k);
    const int lda = static_cast<int>(a.stride), ldb = static_cast<int>(b.stride);
    const int ldc = static_cast<int>(c.stride);
    // Column-major BLAS sees every row-major matrix transposed: c^T = op(b)^T op(a)^T.
    sgemm_(tb == Transpose::yes ? "T" : "N", ta == Transpose::yes ? "T" : "N", &in, &im, &ik,
           &alpha, b.data, &ldb, a.data, &lda, &beta, c.data, &ldc);
    return;
  }
  for (int64_t i = 0; i < m; ++i)
    for (int64_t j = 0; j < n; ++j) {
      float sum = 0;
      for (int64_t l = 0; l < k; ++l)
        sum += (ta == Transpose::yes ? a.data[l * a.stride + i] : a.data[i * a.stride + l]) *
               (tb == Transpose::yes ? b.data[j * b.stride + l] : b.data[l * b.stride + j]);
      float& out = c.data[i * c.stride + j];
      out = alpha * sum + (beta == 0 ? 0 : beta * out);
    }
}

// Softmax of a row in place; returns its log-sum-exp.
MIXTUNE_CLONES float softmax_row(float* row, int64_t count) {
  float largest = -std::numeric_limits<float>::infinity();
#pragma omp simd reduction(max : largest)
  for (int64_t j = 0; j < count; ++j) largest = row[j] > largest ? row[j] : largest;
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t j = 0; j < count; ++j) {
    row[j] = exp_of(row[j] - largest);
    sum += row[j];
  }
  const float inverse = 1.0f / sum;
#pragma omp simd
  for (int64_t j = 0; j < count; ++j) row[j] *= inverse;
  return largest + std::log(sum);
}

// Recomputes the probabilities from the scores and the log-sum-exp.
MIXTUNE_CLONES void probabilities_row(float* row, int64_t count, float log_sum) {
#pragma omp simd
  for (int64_t j = 0; j < count; ++j) {
    const float x = row[j] - log_sum;
    row[j] = exp_of(x < 0.0f ? x : 0.0f);
  }
}

MIXTUNE_CLONES void scale_row(float* row, const float* factors, int64_t count) {
#pragma omp simd
  for (int64_t j = 0; j < count; ++j) row[j] *= factors[j];
}

// On entry `gradient` belongs to the probabilities after dropout, on return to the scores (times
// `scale`). `probability` is replaced by its value after dropout, for the gradient of the values.
MIXTUNE_CLONES void softmax_backward_row(float* gradient, float* probability, const float* factors,
                                         int64_t count, float scale) {
  float dot = 0;
#pragma omp simd reduction(+ : dot)
  for (int64_t j = 0; j < count; ++j) {
    gradient[j] *= factors[j];
    dot += gradient[j] * probability[j];
  }
#pragma omp simd
  for (int64_t j = 0; j < count; ++j) {
    gradient[j] = probability[j] * (gradient[j] - dot) * scale;
    probability[j] *= factors[j];
  }
}

// State of one autograd node that is not a tensor of the graph.
struct Geometry {
  std::vector<int64_t> query_offsets, offsets;
  std::vector<int64_t> positions;  // causal: positions of the query rows in their sequences
  AttentionShape shape;
  DropoutMask mask;  // for the query rows

  // The range [begin, end) of keys visible to a query row, within its sequence of n keys.
  std::pair<int64_t, int64_t> seen(int64_t row, int64_t n) const {
    if (!shape.causal) return {0, n};
    const int64_t end = positions[row] + 1;
    return {shape.window > 0 ? std::max<int64_t>(0, end - shape.window) : 0, end};
  }
  float scale() const { return static_cast<float>(shape.score_scale()); }
};

struct Heads {
  Matrix q, k, v;
};

// Splits the (key-value head, sequence) pairs over threads, with heads outermost, since lengths
// differ between sequences only. Calls body(sequence, head, scratch...) for each head of a group.
template <class Body>
void for_heads(const Geometry& g, int64_t scratch_rows, const Body& body) {
  const int64_t sequences = static_cast<int64_t>(g.offsets.size()) - 1;
  const int64_t groups = g.shape.groups(), share = g.shape.heads / groups;
  int64_t largest = 0, widest = 0;
  for (int64_t s = 0; s < sequences; ++s) {
    const int64_t nq = g.query_offsets[s + 1] - g.query_offsets[s];
    const int64_t n = g.offsets[s + 1] - g.offsets[s];
    largest = std::max(largest, nq * n);
    widest = std::max(widest, n);
  }
  at::parallel_for(0, sequences * groups, 1, [&](int64_t begin, int64_t end) {
    std::vector<float> scratch(static_cast<size_t>(scratch_rows * largest + widest));
    for (int64_t i = begin; i < end; ++i)
      for (int64_t h = i / sequences * share; h < (i / sequences + 1) * share; ++h)
        body(i % sequences, h, scratch.data(), scratch.data() + largest,
             scratch.data() + scratch_rows * largest);
  });
}

// Sets the row to 0 outside [begin, end).
void clear_outside(float* row, int64_t begin, int64_t end, int64_t count) {
  std::fill_n(row, begin, 0.0f);
  std::fill_n(row + end, count - end, 0.0f);
}

void fill_mask_row(float* factors, int64_t count, const DropoutMask& mask, RandomKey key,
                   int64_t row) {
  mask_row(factors, count, key, static_cast<uint32_t>(mask.token.data_ptr<int64_t>()[row]),
           static_cast<uint32_t>(mask.example.data_ptr<int64_t>()[row]), mask.step,
           mask.threshold(), mask.scale());
}

Matrix at_head(const Tensor& t, int64_t row, int64_t column) {
  return {t.data_ptr<float>() + row * t.stride(0) + column, t.stride(0)};
}

Heads heads_of(const Tensor& query, const Tensor& key_value, const Geometry& g, int64_t s,
               int64_t h) {
  const int64_t d = g.shape.head_width, group = h / (g.shape.heads / g.shape.groups());
  const int64_t first =
      query.defined() ? 0 : g.shape.query_columns();  // fused: the queries come first
  return {at_head(query.defined() ? query : key_value, g.query_offsets[s], h * d),
          at_head(key_value, g.offsets[s], first + group * d),
          at_head(key_value, g.offsets[s], first + g.shape.key_columns() + group * d)};
}

class PackedAttention : public torch::autograd::Function<PackedAttention> {
 public:
  // `inputs`: the keys and values, then the queries unless they are fused (autograd rejects an
  // undefined input).
  static Tensor forward(AutogradContext* ctx, at::TensorList inputs,
                        const std::shared_ptr<Geometry>& geometry) {
    const Geometry& g = *geometry;
    const Tensor &key_value = inputs[0], query = inputs.size() > 1 ? inputs[1] : Tensor();
    const int64_t d = g.shape.head_width, rows = g.query_offsets.back();
    const Tensor out = at::empty({rows, g.shape.heads * d}, key_value.options());
    const Tensor log_sums = at::empty({g.shape.heads, rows}, key_value.options());
    const float scale = g.scale();
    for_heads(g, 1, [&](int64_t s, int64_t h, float* scores, float*, float* factors) {
      const int64_t nq = g.query_offsets[s + 1] - g.query_offsets[s];
      const int64_t n = g.offsets[s + 1] - g.offsets[s], first = g.query_offsets[s];
      const Heads heads = heads_of(query, key_value, g, s, h);
      const Matrix p{scores, n};
      multiply(heads.q, Transpose::no, heads.k, Transpose::yes, p, nq, n, d, scale);
      float* log_sum = log_sums.data_ptr<float>() + h * rows + first;
      const RandomKey key = derive(g.mask.key, static_cast<uint64_t>(h));
      for (int64_t i = 0; i < nq; ++i) {
        const auto [begin, end] = g.seen(first + i, n);
        clear_outside(scores + i * n, begin, end, n);
        log_sum[i] = softmax_row(scores + i * n + begin, end - begin);
        if (!g.mask.active()) continue;
        fill_mask_row(factors, n, g.mask, key, first + i);
        scale_row(scores + i * n, factors, n);
      }
      multiply(p, Transpose::no, heads.v, Transpose::no, at_head(out, first, h * d), nq, d, n, 1);
    });
    variable_list saved = {log_sums};
    saved.insert(saved.end(), inputs.begin(), inputs.end());
    ctx->save_for_backward(std::move(saved));
    ctx->saved_data["geometry"] = c10::IValue::make_capsule(c10::make_intrusive<Holder>(geometry));
    return out;
  }

  static variable_list backward(AutogradContext* ctx, variable_list gradients) {
    const auto saved = ctx->get_saved_variables();
    const Tensor &log_sums = saved[0], &key_value = saved[1];
    const Tensor query = saved.size() > 2 ? saved[2] : Tensor();
    const auto holder = ctx->saved_data["geometry"].toCapsule();
    const Geometry& g = *static_cast<Holder&>(*holder).geometry;
    const Tensor d_out = gradients[0].contiguous();
    const Tensor d_key_value = at::empty(key_value.sizes(), key_value.options());
    const Tensor d_query = query.defined() ? at::empty(query.sizes(), query.options()) : Tensor();
    const int64_t d = g.shape.head_width, rows = g.query_offsets.back();
    const float scale = g.scale();
    const int64_t share = g.shape.heads / g.shape.groups();
    for_heads(g, 2, [&](int64_t s, int64_t h, float* probability, float* gradient, float* factors) {
      const int64_t nq = g.query_offsets[s + 1] - g.query_offsets[s];
      const int64_t n = g.offsets[s + 1] - g.offsets[s], first = g.query_offsets[s];
      const Heads heads = heads_of(query, key_value, g, s, h);
      const Heads d_heads = heads_of(d_query, d_key_value, g, s, h);
      const Matrix p{probability, n}, dp{gradient, n}, go = at_head(d_out, first, h * d);
      multiply(heads.q, Transpose::no, heads.k, Transpose::yes, p, nq, n, d, scale);
      multiply(go, Transpose::no, heads.v, Transpose::yes, dp, nq, n, d, 1);
      const float* log_sum = log_sums.data_ptr<float>() + h * rows + first;
      const RandomKey key = derive(g.mask.key, static_cast<uint64_t>(h));
      if (!g.mask.active()) std::fill_n(factors, n, 1.0f);
      for (int64_t i = 0; i < nq; ++i) {
        const auto [begin, end] = g.seen(first + i, n);
        clear_outside(probability + i * n, begin, end, n);
        clear_outside(gradient + i * n, begin, end, n);
        probabilities_row(probability + i * n + begin, end - begin, log_sum[i]);
        if (g.mask.active()) fill_mask_row(factors, n, g.mask, key, first + i);
        softmax_backward_row(gradient + i * n + begin, probability + i * n + begin, factors + begin,
                             end - begin, scale);
      }
      const float keep = h % share == 0 ? 0.0f : 1.0f;  // gradients of a group's heads are summed
      multiply(p, Transpose::yes, go, Transpose::no, d_heads.v, n, d, nq, 1, keep);
      multiply(dp, Transpose::no, heads.k, Transpose::no, d_heads.q, nq, d, n, 1);
      multiply(dp, Transpose::yes, heads.q, Transpose::no, d_heads.k, n, d, nq, 1, keep);
    });
    variable_list out = {d_key_value};
    if (query.defined()) out.push_back(d_query);
    out.emplace_back();  // the geometry
    return out;
  }

 private:
  // Keeps the geometry alive as long as the node.
  struct Holder : torch::CustomClassHolder {
    explicit Holder(std::shared_ptr<Geometry> geometry) : geometry(std::move(geometry)) {}
    std::shared_ptr<Geometry> geometry;
  };
};

// 0 where a query row may attend to a key, else -inf; [nq, n].
Tensor hidden_keys(const Geometry& g, int64_t first, int64_t nq, int64_t n) {
  Tensor out = at::full({nq, n}, -std::numeric_limits<float>::infinity(), at::kFloat);
  for (int64_t i = 0; i < nq; ++i) {
    const auto [begin, end] = g.seen(first + i, n);
    out[i].narrow(0, begin, end - begin).zero_();
  }
  return out;
}

// The same attention with tensor operations, one sequence at a time. Used for other dtypes and for
// capped scores.
Tensor composed_attention(const Tensor& query, const Tensor& key_value, const Geometry& g) {
  const int64_t h = g.shape.heads, d = g.shape.head_width, groups = g.shape.groups();
  const int64_t first = query.defined() ? 0 : g.shape.query_columns();
  const Tensor& queries = query.defined() ? query : key_value;
  std::vector<Tensor> parts;
  for (size_t s = 0; s + 1 < g.offsets.size(); ++s) {
    const int64_t nq = g.query_offsets[s + 1] - g.query_offsets[s];
    const int64_t n = g.offsets[s + 1] - g.offsets[s];
    const auto split = [&](const Tensor& t, int64_t row, int64_t rows, int64_t column,
                           int64_t heads) {
      return t.narrow(0, row, rows)
          .narrow(1, column, heads * d)
          .view({rows, heads, d})
          .transpose(0, 1);
    };
    const auto keys = [&](int64_t column) {  // [H, n, d]
      const Tensor part = split(key_value, g.offsets[s], n, column, groups);
      return groups == h ? part : part.repeat_interleave(h / groups, 0);
    };
    const Tensor q = split(queries, g.query_offsets[s], nq, 0, h);  // [H, nq, d]
    const Tensor k = keys(first), v = keys(first + g.shape.key_columns());
    Tensor scores = at::matmul(q, k.transpose(1, 2)) * g.shape.score_scale();
    if (g.shape.cap > 0) scores = at::tanh(scores / g.shape.cap) * g.shape.cap;
    if (g.shape.causal)
      scores = scores + hidden_keys(g, g.query_offsets[s], nq, n).to(scores.options());
    Tensor p = at::softmax(scores, -1);  // [H, nq, n]
    if (g.mask.active()) {
      Tensor factors = at::empty({h, nq, n}, at::kFloat);
      DropoutMask host = g.mask;
      host.token = host.token.to(at::kCPU);
      host.example = host.example.to(at::kCPU);
      for (int64_t head = 0; head < h; ++head)
        for (int64_t i = 0; i < nq; ++i)
          fill_mask_row(factors.data_ptr<float>() + (head * nq + i) * n, n, host,
                        derive(host.key, static_cast<uint64_t>(head)), g.query_offsets[s] + i);
      p = p * factors.to(p.options());
    }
    parts.push_back(at::matmul(p, v).transpose(0, 1).reshape({nq, h * d}));  // [nq, H * d]
  }
  return at::cat(parts, 0);
}

}  // namespace

Tensor packed_attention(const Tensor& query, const Tensor& key_value,
                        const SequenceLayout& query_rows, const SequenceLayout& rows,
                        AttentionShape shape, const DropoutMask& mask) {
  const int64_t width = (query.defined() ? 0 : shape.query_columns()) + 2 * shape.key_columns();
  MIXTUNE_CHECK(key_value.size(0) == rows.tokens(), shape_text(key_value));
  MIXTUNE_CHECK(key_value.size(1) == width, shape_text(key_value));
  MIXTUNE_CHECK(shape.heads % shape.groups() == 0, "heads is not a multiple of key_value_heads");
  MIXTUNE_CHECK(query_rows.sequences() == rows.sequences(),
                "queries and keys have different numbers of sequences");
  MIXTUNE_CHECK(!query.defined() || query.size(0) == query_rows.tokens(), shape_text(query));
  if (key_value.is_cuda()) return padded_attention(query, key_value, query_rows, rows, shape, mask);
  auto geometry =
      std::make_shared<Geometry>(Geometry{query_rows.offsets, rows.offsets, {}, shape, mask});
  if (shape.causal) {
    const Tensor token = query_rows.token.to(at::kCPU);
    geometry->positions.assign(token.const_data_ptr<int64_t>(),
                               token.const_data_ptr<int64_t>() + token.numel());
  }
  if (key_value.is_cpu() && key_value.scalar_type() == at::kFloat && shape.cap == 0)
    return query.defined() ? PackedAttention::apply(at::TensorList({key_value, query}), geometry)
                           : PackedAttention::apply(at::TensorList(key_value), geometry);
  return composed_attention(query, key_value, *geometry);
}

}  // namespace mixtune
