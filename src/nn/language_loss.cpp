// Legend: R rows, c rows of a chunk, D width, V vocabulary, K candidates.
#include "nn/language_loss.h"

#include <algorithm>

namespace mixtune {
namespace {

// Logits of a chunk, [c, V]. If there is a cap, `tanh` is tanh(product / cap), which the derivative
// needs.
struct ChunkLogits {
  Tensor logits, tanh;
};

ChunkLogits chunk_logits(const Tensor& z, const LanguageHead& head) {
  ChunkLogits out;
  out.logits = at::mm(z, head.weight.t());  // [c, V]
  if (head.cap > 0) {
    out.tanh = out.logits.div_(head.cap).tanh_();
    out.logits = out.tanh * head.cap;
  }
  return out;
}

template <class Body>
void for_chunks(int64_t rows, int64_t chunk, const Body& body) {
  for (int64_t first = 0; first < rows; first += chunk) body(first, std::min(chunk, rows - first));
}

struct Request : torch::CustomClassHolder {
  LanguageHead head;
  LanguageLossOptions options;
  bool of_rows = false, of_weight = false;  // which gradients to compute
};

class LanguageLoss : public torch::autograd::Function<LanguageLoss> {
 public:
  static Tensor forward(AutogradContext* ctx, const Tensor& z, const Tensor& weight,
                        const Tensor& targets, const c10::intrusive_ptr<Request>& request) {
    const double smoothing = request->options.smoothing;
    const auto vocabulary = static_cast<double>(weight.size(0));
    const LanguageHead head{weight, request->head.cap};
    Tensor sum = at::zeros({}, z.options().dtype(at::kDouble));
    const Tensor d_z = request->of_rows ? at::empty_like(z) : Tensor();              // [R, D]
    const Tensor d_weight = request->of_weight ? at::zeros_like(weight) : Tensor();  // [V, D]
    for_chunks(z.size(0), request->options.chunk, [&](int64_t first, int64_t count) {
      const Tensor part = z.narrow(0, first, count);                       // [c, D]
      const Tensor target = targets.narrow(0, first, count).unsqueeze(1);  // [c, 1]
      const ChunkLogits logits = chunk_logits(part, head);
      const Tensor log_p = at::log_softmax(logits.logits, 1);  // [c, V]
      sum -= (1 - smoothing) * log_p.gather(1, target).sum(at::kDouble);
      if (smoothing > 0) sum -= smoothing / vocabulary * log_p.sum(at::kDouble);
      if (!request->of_rows && !request->of_weight) return;
      // d loss / d logit = p - (1 - smoothing) [target] - smoothing / V
      Tensor d = log_p.exp_();
      if (smoothing > 0) d.sub_(smoothing / vocabulary);
      d.scatter_add_(1, target, at::full({count, 1}, smoothing - 1, d.options()));
      if (head.cap > 0) d.mul_(1 - logits.tanh.square());
      if (request->of_rows) {
        Tensor out = d_z.narrow(0, first, count);
        at::mm_out(out, d, weight);
      }
      if (request->of_weight) d_weight.addmm_(d.t(), part);
    });
    ctx->save_for_backward({d_z, d_weight});
    return sum.to(z.scalar_type());
  }

  static variable_list backward(AutogradContext* ctx, variable_list gradients) {
    const auto saved = ctx->get_saved_variables();
    const auto scaled = [&](const Tensor& t) { return t.defined() ? t * gradients[0] : Tensor(); };
    return {scaled(saved[0]), scaled(saved[1]), Tensor(), Tensor()};
  }
};

void check_shapes(const Tensor& z, const LanguageHead& head, const Tensor& targets) {
  MIXTUNE_CHECK(z.dim() == 2 && head.weight.dim() == 2 && z.size(1) == head.weight.size(1),
                shape_text(z) + " into a head of " + shape_text(head.weight));
  MIXTUNE_CHECK(targets.dim() == 1 && targets.size(0) == z.size(0), shape_text(targets));
}

}  // namespace

int64_t language_chunk(int64_t vocabulary) {
  constexpr int64_t kElements = int64_t{1} << 23;
  return std::clamp<int64_t>(kElements / std::max<int64_t>(1, vocabulary), 64, 2048);
}

Tensor language_loss_sum(const Tensor& z, const LanguageHead& head, const Tensor& targets,
                         const LanguageLossOptions& options) {
  check_shapes(z, head, targets);
  auto request = c10::make_intrusive<Request>();
  request->head.cap = head.cap;
  request->options = options;
  if (options.chunk <= 0) request->options.chunk = language_chunk(head.weight.size(0));
  request->of_rows = at::GradMode::is_enabled() && z.requires_grad();
  request->of_weight = at::GradMode::is_enabled() && head.weight.requires_grad();
  return LanguageLoss::apply(z, head.weight, targets, request);
}

TokenScores score_tokens(const Tensor& z, const LanguageHead& head, const Tensor& targets,
                         int64_t chunk) {
  check_shapes(z, head, targets);
  const at::NoGradGuard no_grad;
  TokenScores out{at::empty({z.size(0)}, z.options().dtype(at::kDouble)),
                  at::empty({z.size(0)}, z.options().dtype(at::kBool))};
  if (chunk <= 0) chunk = language_chunk(head.weight.size(0));
  for_chunks(z.size(0), chunk, [&](int64_t first, int64_t count) {
    const Tensor target = targets.narrow(0, first, count).unsqueeze(1);  // [c, 1]
    const Tensor logits = chunk_logits(z.narrow(0, first, count), head).logits;
    const Tensor of_target = logits.gather(1, target).squeeze(1);  // [c]
    out.log_probability.narrow(0, first, count)
        .copy_(at::log_softmax(logits, 1).gather(1, target).squeeze(1));
    out.is_best.narrow(0, first, count).copy_(of_target == logits.amax(1));
  });
  return out;
}

Tensor candidate_logits(const Tensor& z, const LanguageHead& head, const Tensor& ids) {
  const LanguageHead some{head.weight.index_select(0, ids), head.cap};
  return chunk_logits(z, some).logits;
}

}  // namespace mixtune
