// bench_mixlora ROUNDS [THREADS [METHOD]]: times complete training steps (forward, backward, AdamW)
// of MixLoRA with its three routings, of LoRA of the same rank on the same linears, and of DoRA, on
// a LLaMA shape with texts of different lengths. Steps alternate, so that load on the machine
// affects all methods. Prints the median seconds per step and the ratio to LoRA. With the beginning
// of a title as METHOD, only that method runs, and the peak memory is its own.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "base/config.h"
#include "methods/method.h"
#include "models/model.h"
#include "train/optimizer.h"
#include "train/plan.h"

namespace {

using namespace mixtune;

constexpr int64_t kVocabulary = 2000;

ModelConfig shape() {
  ModelConfig c;
  c.model_type = "llama";
  c.vocab_size = kVocabulary;
  c.hidden_size = 512;
  c.layers = 4;
  c.heads = 8;
  c.intermediate_size = 1376;
  c.max_positions = 512;
  c.type_vocab_size = 1;
  c.pad_token_id = -1;
  c.layer_norm_epsilon = 1e-6;
  c.hidden_act = "silu";
  c.hidden_dropout = c.attention_dropout = 0;
  DecoderConfig d;
  d.head_width = 64;
  d.key_value_heads = 8;
  d.rotary.width = 64;
  d.windows.assign(4, 0);
  c.decoder = d;
  return c;
}

// Eight texts of 20 to 128 tokens.
PackedBatch batch() {
  std::vector<std::vector<int32_t>> ids;
  std::vector<SequenceView> views;
  for (uint64_t s = 0; s < 8; ++s) {
    const RandomKey key = derive(5, s);
    ids.emplace_back(20 + random_integer(key, 0, 109));
    for (size_t t = 0; t < ids.back().size(); ++t)
      ids.back()[t] = static_cast<int32_t>(random_integer(key, t + 1, kVocabulary));
  }
  for (size_t s = 0; s < ids.size(); ++s)
    views.push_back(
        {ids[s].data(), nullptr, static_cast<int64_t>(ids[s].size()), static_cast<int64_t>(s)});
  return pack(views, at::kCPU);
}

class Run {
 public:
  Run(std::string title, const std::string& method, const std::string& options)
      : title(std::move(title)),
        model_(make_model(shape(), HeadKind::language, kVocabulary, at::kFloat)) {
    const at::NoGradGuard no_grad;
    for (const WeightSlot& slot : model_->sites().weights)
      if (slot.kind != WeightKind::norm)
        slot.view().copy_(normal_tensor(slot.view().sizes(), 0.02, derive(1, slot.name)));
    Choice choice{method, methods().get(method, "method", "method").config()};
    ConfigLayers layers;
    layers.add_text(options, "bench");
    layers.apply(*choice.config);
    attachment_ =
        attach(specs_of(choice, {4, true}), model_->sites(), {.seed = 1, .train_head = false});
    optimizer_ = std::make_unique<AdamW>(attachment_->trainables, AdamWOptions{});
  }

  // Seconds of one step.
  double step(const PackedBatch& batch) {
    const auto start = std::chrono::steady_clock::now();
    ForwardContext context(Phase::train, 7, optimizer_->steps_done(), alone_);
    context.loss_statistics = attachment_->loss_statistics;
    attachment_->trainables.zero_gradients();
    const Tensor logits = model_->logits(batch, context);
    Tensor loss = at::cross_entropy_loss(logits, at::roll(batch.ids, -1));
    if (const Tensor more = attachment_->auxiliary_sum(context); more.defined()) loss = loss + more;
    loss.backward();
    optimizer_->step(1);
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    return seconds.count();
  }

  int64_t parameters() const { return attachment_->trainables.count(); }

  const std::string title;
  std::vector<double> seconds;

 private:
  std::unique_ptr<Model> model_;
  std::unique_ptr<Attachment> attachment_;
  std::unique_ptr<AdamW> optimizer_;
  Reducer alone_;
};

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

}  // namespace

int main(int count, char** arguments) {
  const int rounds = count > 1 ? std::atoi(arguments[1]) : 5;
  at::set_num_threads(count > 2 ? std::atoi(arguments[2]) : 1);
  const std::string plain =
      "r: 16\nlora_alpha: 32\nlora_dropout: 0.05\ntarget_modules: [all-linear]";
  std::vector<std::unique_ptr<Run>> runs;
  const std::string only = count > 3 ? arguments[3] : "";
  const auto add = [&](const std::string& title, const char* method, const std::string& options) {
    if (!title.starts_with(only)) return;
    runs.push_back(std::make_unique<Run>(title, method, options));
  };
  add("lora r16", "lora", plain);
  add("dora r16", "dora", plain);
  add("mixlora top-2 of 8, r16", "mixlora", "");
  add("mixlora dynamic 0.8", "mixlora", "routing: dynamic");
  add("mixlora switch", "mixlora", "routing: switch");
  const PackedBatch texts = batch();
  std::printf("%lld tokens, %d threads\n", static_cast<long long>(texts.rows.tokens()),
              at::get_num_threads());
  for (int round = 0; round <= rounds; ++round)
    for (auto& run : runs) {
      const double seconds = run->step(texts);
      if (round > 0) run->seconds.push_back(seconds);  // the first warms up
    }
  if (runs.empty()) return std::fprintf(stderr, "no method begins with %s\n", only.c_str()), 2;
  const double first = median(runs.front()->seconds);
  for (const auto& run : runs)
    std::printf("%-26s %10lld parameters %8.4f s %6.2f times the first\n", run->title.c_str(),
                static_cast<long long>(run->parameters()), median(run->seconds),
                median(run->seconds) / first);
  std::printf("peak memory %lld MB\n", static_cast<long long>(peak_memory() / 1000000));
}
