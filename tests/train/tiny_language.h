// Everything for training small decoders: GPT-2 or LLaMA of two layers with random weights, a
// tokenizer of characters, instructions that can be learned (the answer is a word of the prompt)
// and a text.
#pragma once

#include "support/tiny_tokenizer.h"
#include "tiny_run.h"

namespace mixtune::test {

class LanguageWorld {
 public:
  explicit LanguageWorld(const std::string& type, double dropout = 0.1) : type_(type) {
    write_model(dropout);
    write_data();
  }

  fs::path path(const std::string& name) const { return folder_ / name; }

  RunConfig config(const std::string& run, const std::string& task,
                   const std::vector<std::string>& overrides = {}) const {
    const std::string data = task == "lm" ? path("data/text.txt").string() : path("data").string();
    ConfigLayers layers;
    layers.add_text(
        "model: {path: '" + path("model").string() + "'}\n" + "task: {name: " + task + ", data: '" +
            data + "', max_length: 48}\n" +
            "method: {name: lora, r: 4, lora_dropout: 0.1, target_modules: [all-linear]}\n" +
            "train: {epochs: 2, batch_size: 8, learning_rate: 5e-3, warmup: 2}\n" +
            "threads: 1\noutput: '" + path(run).string() + "'\n",
        "test");
    if (task == "lm") layers.add_override("task.dev_share=0.2");
    for (const std::string& one : overrides) layers.add_override(one);
    RunConfig out;
    layers.apply(out);
    return out;
  }

 private:
  void write_model(double dropout) const {
    const bool is_llama = type_ == "llama";
    write_tiny_tokenizer(path("model"), is_llama ? TokenizerStyle::llama : TokenizerStyle::gpt2);
    Json config = {{"model_type", type_}, {"vocab_size", kTinyVocabulary}};
    if (is_llama)
      config.update({{"architectures", {"LlamaForCausalLM"}},
                     {"hidden_size", 32},
                     {"num_hidden_layers", 2},
                     {"num_attention_heads", 4},
                     {"num_key_value_heads", 2},
                     {"intermediate_size", 48},
                     {"max_position_embeddings", 64},
                     {"tie_word_embeddings", false},
                     {"hidden_act", "silu"}});
    else
      config.update({{"architectures", {"GPT2LMHeadModel"}},
                     {"n_embd", 32},
                     {"n_layer", 2},
                     {"n_head", 4},
                     {"n_positions", 64},
                     {"resid_pdrop", dropout},
                     {"embd_pdrop", dropout},
                     {"attn_pdrop", dropout}});
    std::ofstream(path("model/config.json")) << config.dump(2);
    const auto made =
        make_model(read_model_config(path("model")), HeadKind::language, 0, at::kFloat);
    NamedTensors tensors;
    for (const WeightSlot& slot : made->sites().weights) {
      const Tensor view = slot.view();
      const at::NoGradGuard no_grad;
      view.copy_(normal_tensor(view.sizes(), 0.15, derive(RandomKey(7), slot.name)));
      if (slot.kind == WeightKind::norm && slot.name.ends_with(".weight")) view.add_(1);
      tensors.emplace_back(slot.name, view.contiguous());
    }
    write_tensors(path("model/model.safetensors"), tensors);
  }

  void write_data() const {
    static const std::vector<std::string> colors = {"red", "green", "blue"};
    static const std::vector<std::string> words = {"house", "tree", "sky", "sea"};
    fs::create_directories(path("data"));
    std::ofstream text(path("data/text.txt"));
    for (const auto& [name, count, key] :
         {std::tuple{"train", 40, RandomKey(1)}, std::tuple{"dev", 16, RandomKey(2)}}) {
      std::ofstream file(path("data") / (std::string(name) + ".jsonl"));
      for (int64_t i = 0; i < count; ++i) {
        const RandomKey row = derive(key, static_cast<uint64_t>(i));
        const std::string color = colors[random_integer(row, 0, 3)];
        std::string prompt = color;
        for (uint64_t w = 0; w <= random_integer(row, 1, 3); ++w)
          prompt += " " + words[random_integer(row, 2 + w, 4)];
        file << Json({{"prompt", prompt + "? "}, {"completion", color}}).dump() << '\n';
        text << prompt << " is " << color << ".\n";
      }
    }
  }

  std::string type_;
  TemporaryFolder folder_;
};

}  // namespace mixtune::test
