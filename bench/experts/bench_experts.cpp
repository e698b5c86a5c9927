// Cost of expert mixtures relative to one LoRA of equal total rank on the same linears: complete
// training steps of a LLaMA-shaped model. The candidates alternate step by step, so that load on
// the machine slows all of them equally. Usage: bench_experts [hidden] [layers] [rounds]
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "base/config.h"
#include "methods/method.h"
#include "models/model.h"
#include "train/optimizer.h"

namespace mixtune {
namespace {

struct Shape {
  int64_t hidden = 512, layers = 4;
};

ModelConfig config_of(const Shape& shape) {
  ModelConfig c;
  c.model_type = "llama";
  c.vocab_size = 4096;
  c.hidden_size = shape.hidden;
  c.layers = shape.layers;
  c.heads = shape.hidden / 64;
  c.intermediate_size = shape.hidden * 43 / 16;  // 1376 for 512, as 11008 for 4096
  c.max_positions = 256;
  c.hidden_act = "silu";
  c.layer_norm_epsilon = 1e-6;
  c.hidden_dropout = c.attention_dropout = 0;
  DecoderConfig d;
  d.head_width = 64;
  d.key_value_heads = c.heads;
  d.rotary.width = 64;
  d.windows.assign(static_cast<size_t>(c.layers), 0);
  c.decoder = d;
  return c;
}

// Eight sequences of 20 to 128 tokens.
PackedBatch batch_of(const ModelConfig& config) {
  std::vector<std::vector<int32_t>> texts;
  std::vector<SequenceView> views;
  for (uint64_t s = 0; s < 8; ++s) {
    std::vector<int32_t> ids(20 + random_integer(1, s, 109));
    for (size_t t = 0; t < ids.size(); ++t)
      ids[t] = static_cast<int32_t>(
          random_integer(derive(2, s), t, static_cast<uint64_t>(config.vocab_size)));
    texts.push_back(std::move(ids));
  }
  for (size_t s = 0; s < texts.size(); ++s)
    views.push_back(
        {texts[s].data(), nullptr, static_cast<int64_t>(texts[s].size()), static_cast<int64_t>(s)});
  return pack(views, at::kCPU);
}

class Candidate {
 public:
  Candidate(std::string name, const std::string& method, const std::string& yaml,
            const ModelConfig& config)
      : name(std::move(name)) {
    model_ = make_model(config, HeadKind::language, config.vocab_size, at::kFloat);
    for (const WeightSlot& slot : model_->sites().weights) {
      const at::NoGradGuard no_grad;
      const Tensor view = slot.view();
      if (slot.kind == WeightKind::norm)
        view.fill_(1);
      else
        view.copy_(normal_tensor(view.sizes(), 0.02, derive(3, slot.name)));
    }
    Choice choice{method, methods().get(method, "method", "method").config()};
    ConfigLayers layers;
    layers.add_text(yaml, "bench");
    layers.apply(*choice.config);
    attachment_ =
        attach(specs_of(choice, {config.layers, true}), model_->sites(), {.train_head = false});
    optimizer_ = std::make_unique<AdamW>(attachment_->trainables, AdamWOptions{});
  }

  void step(const PackedBatch& batch) {
    const auto begin = std::chrono::steady_clock::now();
    attachment_->trainables.zero_gradients();
    ForwardContext context(Phase::train, 7, ++steps_, alone_);
    context.loss_statistics = attachment_->loss_statistics;
    const Tensor logits = model_->logits(batch, context);
    Tensor loss = at::cross_entropy_loss(logits, batch.ids);
    if (const Tensor more = attachment_->auxiliary_sum(context); more.defined()) loss = loss + more;
    loss.backward();
    optimizer_->step(1);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    if (steps_ > 2) seconds.push_back(took.count());
  }

  double best() const { return *std::min_element(seconds.begin(), seconds.end()); }
  double median() const {
    std::vector<double> sorted = seconds;
    std::sort(sorted.begin(), sorted.end());
    return sorted[sorted.size() / 2];
  }
  int64_t parameters() const { return attachment_->trainables.count(); }

  const std::string name;
  std::vector<double> seconds;

 private:
  std::unique_ptr<Model> model_;
  std::unique_ptr<Attachment> attachment_;
  std::unique_ptr<AdamW> optimizer_;
  Reducer alone_;
  int64_t steps_ = 0;
};

void compare(const std::string& title, std::vector<Candidate> candidates, const PackedBatch& batch,
             int rounds) {
  for (int round = 0; round < rounds + 2; ++round)
    for (Candidate& one : candidates) one.step(batch);
  std::printf("%s\n", title.c_str());
  for (const Candidate& one : candidates)
    std::printf("  %-28s %9lld trained  median %7.2f ms  best %7.2f ms  ratio %.3f  of best %.3f\n",
                one.name.c_str(), static_cast<long long>(one.parameters()), 1e3 * one.median(),
                1e3 * one.best(), one.median() / candidates.front().median(),
                one.best() / candidates.front().best());
}

}  // namespace
}  // namespace mixtune

int main(int argc, char** argv) {
  using namespace mixtune;
  Shape shape;
  if (argc > 1) shape.hidden = std::atoll(argv[1]);
  if (argc > 2) shape.layers = std::atoll(argv[2]);
  const int rounds = argc > 3 ? std::atoi(argv[3]) : 15;
  const ModelConfig config = config_of(shape);
  const PackedBatch batch = batch_of(config);
  std::printf("hidden %lld, %lld layers, %lld tokens, %d threads\n",
              static_cast<long long>(shape.hidden), static_cast<long long>(shape.layers),
              static_cast<long long>(batch.rows.tokens()), at::get_num_threads());
  const auto experts = [&](int count, int rank) {
    const std::string n = std::to_string(count), r = std::to_string(rank);
    return Candidate(n + " experts of rank " + r, "mola",
                     "num_experts: " + n + "\nr: " + r + "\ntop_k: " + (count > 1 ? "2" : "1") +
                         "\nlora_dropout: 0\ntarget_modules: [all-linear]\n",
                     config);
  };
  {
    std::vector<Candidate> all;
    all.emplace_back("LoRA of rank 64", "lora", "r: 64\ntarget_modules: [all-linear]\n", config);
    for (const auto& [count, rank] : {std::pair{2, 32}, {4, 16}, {8, 8}})
      all.push_back(experts(count, rank));
    compare("all linears", std::move(all), batch, rounds);
  }
  std::vector<Candidate> all;
  all.emplace_back("LoRA of rank 48", "lora", "r: 48\ntarget_modules: [feed-forward]\n", config);
  all.emplace_back("DynMoLE, 6 of rank 8", "dynmole", "num_experts: 6\nr: 8\nlora_dropout: 0\n",
                   config);
  all.emplace_back("LoRAMoE, 6 of rank 8", "loramoe", "num_experts: 6\nr: 8\nlora_dropout: 0\n",
                   config);
  compare("gate, up, down", std::move(all), batch, rounds);
}
