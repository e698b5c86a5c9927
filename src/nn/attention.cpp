#include "nn/attention.h"

#include <cmath>
#include <limits>

#include "tensor/clones.h"

// Legend: Tq query rows, T key rows, H heads, d width of a head; nq and n: those of one sequence.

// BLAS from libtorch's own library where it exports it; one call is a product of one head of one
// sequence.
extern "C" __attribute__((weak)) void sgemm_(const char* trans_a, const char* trans_b, const int* m,
                                             const int* n, const int* k, const float* alpha,
                                             const float* a, const int* lda, const float* b,
                                             const int* ldb, const float* beta, float* c,
                                             const int* ldc);

namespace molt {
namespace {

// A matrix in row-major order inside a larger one: `stride` elements from row to row.
struct Matrix {
  float* data;
  int64_t stride;
};

enum class Transpose { no, yes };

// c [m, n] = alpha * op(a) op(b), op(a) [m, k], op(b) [k, n].
void multiply(Matrix a, Transpose ta, Matrix b, Transpose tb, Matrix c, int64_t m, int64_t n,
              int64_t k, float alpha) {
  if (sgemm_ != nullptr) {
    const int im = static_cast<int>(m), in = static_cast<int>(n), ik = static_cast<int>(k);
    const int lda = static_cast<int>(a.stride), ldb = static_cast<int>(b.stride);
    const int ldc = static_cast<int>(c.stride);
    const float beta = 0;
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
      c.data[i * c.stride + j] = alpha * sum;
    }
}

// e^x for x <= 0, to 2 units in the last place: 2^k times a polynomial on [-ln 2 / 2, ln 2 / 2].
__attribute__((always_inline)) inline float exp_of(float x) {
  x = x < -87.0f ? -87.0f : x;
  constexpr float kRound =
      12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer, without a call
  const float k = (x * 1.44269504f + kRound) - kRound;
  float r = x - k * 0.693359375f;
  r = r + k * 2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  const int32_t bits = (static_cast<int32_t>(k) + 127) << 23;
  return p * __builtin_bit_cast(float, bits);
}

// Softmax of a row in place; returns its log-sum-exp.
MOLT_CLONES float softmax_row(float* row, int64_t count) {
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

// The same probabilities again, from the scores and the log-sum-exp.
MOLT_CLONES void probabilities_row(float* row, int64_t count, float log_sum) {
#pragma omp simd
  for (int64_t j = 0; j < count; ++j) {
    const float x = row[j] - log_sum;
    row[j] = exp_of(x < 0.0f ? x : 0.0f);
  }
}

MOLT_CLONES void scale_row(float* row, const float* factors, int64_t count) {
#pragma omp simd
  for (int64_t j = 0; j < count; ++j) row[j] *= factors[j];
}

// gradient: of the dropped probabilities, becomes that of the scores (times `scale`); probability
// becomes the dropped one, which the gradient of the values needs.
MOLT_CLONES void softmax_backward_row(float* gradient, float* probability, const float* factors,
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

// Everything about one node that is not a tensor of the graph.
struct Geometry {
  std::vector<int64_t> query_offsets, offsets;
  AttentionShape shape;
  DropoutMask mask;  // of the query rows
};

struct Heads {
  Matrix q, k, v;
};

// Splits the (head, sequence) pairs over threads, heads outermost: lengths differ, heads do not.
// body(sequence, head, scratch).
template <class Body>
void for_heads(const Geometry& g, int64_t scratch_rows, const Body& body) {
  const int64_t sequences = static_cast<int64_t>(g.offsets.size()) - 1;
  int64_t largest = 0, widest = 0;
  for (int64_t s = 0; s < sequences; ++s) {
    const int64_t nq = g.query_offsets[s + 1] - g.query_offsets[s];
    const int64_t n = g.offsets[s + 1] - g.offsets[s];
    largest = std::max(largest, nq * n);
    widest = std::max(widest, n);
  }
  at::parallel_for(0, sequences * g.shape.heads, 1, [&](int64_t begin, int64_t end) {
    std::vector<float> scratch(static_cast<size_t>(scratch_rows * largest + widest));
    for (int64_t i = begin; i < end; ++i)
      body(i % sequences, i / sequences, scratch.data(), scratch.data() + largest,
           scratch.data() + scratch_rows * largest);
  });
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
  const int64_t d = g.shape.head_width, width = g.shape.heads * d;
  const int64_t first = query.defined() ? 0 : width;  // fused: queries stand before the keys
  return {at_head(query.defined() ? query : key_value, g.query_offsets[s], h * d),
          at_head(key_value, g.offsets[s], first + h * d),
          at_head(key_value, g.offsets[s], first + width + h * d)};
}

class PackedAttention : public torch::autograd::Function<PackedAttention> {
 public:
  // `inputs`: the keys and values, then the queries unless they are fused (an undefined input is
  // refused).
  static Tensor forward(AutogradContext* ctx, at::TensorList inputs,
                        const std::shared_ptr<Geometry>& geometry) {
    const Geometry& g = *geometry;
    const Tensor &key_value = inputs[0], query = inputs.size() > 1 ? inputs[1] : Tensor();
    const int64_t d = g.shape.head_width, rows = g.query_offsets.back();
    const Tensor out = at::empty({rows, g.shape.heads * d}, key_value.options());
    const Tensor log_sums = at::empty({g.shape.heads, rows}, key_value.options());
    const float scale = 1.0f / std::sqrt(static_cast<float>(d));
    for_heads(g, 1, [&](int64_t s, int64_t h, float* scores, float*, float* factors) {
      const int64_t nq = g.query_offsets[s + 1] - g.query_offsets[s];
      const int64_t n = g.offsets[s + 1] - g.offsets[s], first = g.query_offsets[s];
      const Heads heads = heads_of(query, key_value, g, s, h);
      const Matrix p{scores, n};
      multiply(heads.q, Transpose::no, heads.k, Transpose::yes, p, nq, n, d, scale);
      float* log_sum = log_sums.data_ptr<float>() + h * rows + first;
      const RandomKey key = derive(g.mask.key, static_cast<uint64_t>(h));
      for (int64_t i = 0; i < nq; ++i) {
        log_sum[i] = softmax_row(scores + i * n, n);
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
    const float scale = 1.0f / std::sqrt(static_cast<float>(d));
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
        probabilities_row(probability + i * n, n, log_sum[i]);
        if (g.mask.active()) fill_mask_row(factors, n, g.mask, key, first + i);
        softmax_backward_row(gradient + i * n, probability + i * n, factors, n, scale);
      }
      multiply(p, Transpose::yes, go, Transpose::no, d_heads.v, n, d, nq, 1);
      multiply(dp, Transpose::no, heads.k, Transpose::no, d_heads.q, nq, d, n, 1);
      multiply(dp, Transpose::yes, heads.q, Transpose::no, d_heads.k, n, d, nq, 1);
    });
    variable_list out = {d_key_value};
    if (query.defined()) out.push_back(d_query);
    out.emplace_back();  // the geometry
    return out;
  }

 private:
  // Keeps the geometry as long as the node lives.
  struct Holder : torch::CustomClassHolder {
    explicit Holder(std::shared_ptr<Geometry> geometry) : geometry(std::move(geometry)) {}
    std::shared_ptr<Geometry> geometry;
  };
};

// The same by tensor operations, for other devices and types: one sequence after the other.
Tensor composed_attention(const Tensor& query, const Tensor& key_value, const Geometry& g) {
  const int64_t h = g.shape.heads, d = g.shape.head_width, width = h * d;
  const int64_t first = query.defined() ? 0 : width;
  const Tensor& queries = query.defined() ? query : key_value;
  std::vector<Tensor> parts;
  for (size_t s = 0; s + 1 < g.offsets.size(); ++s) {
    const int64_t nq = g.query_offsets[s + 1] - g.query_offsets[s];
    const int64_t n = g.offsets[s + 1] - g.offsets[s];
    const auto split = [&](const Tensor& t, int64_t row, int64_t count, int64_t column) {
      return t.narrow(0, row, count).narrow(1, column, width).view({count, h, d}).transpose(0, 1);
    };
    const Tensor q = split(queries, g.query_offsets[s], nq, 0);         // [H, nq, d]
    const Tensor k = split(key_value, g.offsets[s], n, first);          // [H, n, d]
    const Tensor v = split(key_value, g.offsets[s], n, first + width);  // [H, n, d]
    Tensor p = at::softmax(at::matmul(q, k.transpose(1, 2)) / std::sqrt(double(d)), -1);
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
    parts.push_back(at::matmul(p, v).transpose(0, 1).reshape({nq, width}));  // [nq, H * d]
  }
  return at::cat(parts, 0);
}

}  // namespace

Tensor packed_attention(const Tensor& query, const Tensor& key_value, const Rows& query_rows,
                        const Rows& rows, AttentionShape shape, const DropoutMask& mask) {
  const int64_t width = shape.heads * shape.head_width;
  MOLT_CHECK(key_value.size(0) == rows.tokens(), shape_text(key_value));
  MOLT_CHECK(key_value.size(1) == (query.defined() ? 2 : 3) * width, shape_text(key_value));
  MOLT_CHECK(query_rows.sequences() == rows.sequences(), "query rows of other sequences");
  MOLT_CHECK(!query.defined() || query.size(0) == query_rows.tokens(), shape_text(query));
  auto geometry =
      std::make_shared<Geometry>(Geometry{query_rows.offsets, rows.offsets, shape, mask});
  if (key_value.is_cpu() && key_value.scalar_type() == at::kFloat)
    return query.defined() ? PackedAttention::apply(at::TensorList({key_value, query}), geometry)
                           : PackedAttention::apply(at::TensorList(key_value), geometry);
  return composed_attention(query, key_value, *geometry);
}

}  // namespace molt
