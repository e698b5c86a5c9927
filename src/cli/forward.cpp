// mixtune forward: reads token ids and writes logits or hidden states, both as safetensors files,
// to compare a model with other implementations. Legend: T tokens, S sequences, C outputs of the
// head, D hidden size.
#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "cli/command.h"
#include "cli/console_progress.h"
#include "tensor/tensor_file.h"
#include "train/predictor.h"

namespace mixtune {
namespace {

struct ForwardArguments {
  std::string model, input, output;
  std::optional<std::string> adapter;
  bool hidden_states = false;
};

// A tensor of whole numbers with one dimension, as int64; UserError for any other tensor.
Tensor integers(const std::string& file, const std::string& name, const Tensor& tensor) {
  if (tensor.dim() != 1 || !at::isIntegralType(tensor.scalar_type(), false))
    throw UserError(file,
                    "'" + name + "' is " + shape_text(tensor) + " of " +
                        toString(tensor.scalar_type()) +
                        "; expected one dimension of whole numbers",
                    "Write it as int64.");
  return tensor.to(at::kLong).contiguous();
}

Tensor required(const NamedTensors& tensors, const std::string& file, const std::string& name) {
  const Tensor* found = find_tensor(tensors, name);
  if (found == nullptr)
    throw UserError(
        file, "has no tensor '" + name + "'",
        "Add ids [tokens] and offsets [sequences + 1]; token_types [tokens] is optional.");
  return integers(file, name, *found);
}

void check_range(const std::string& file, const std::string& name, const Tensor& values,
                 int64_t end) {
  if (values.numel() == 0) return;
  const int64_t low = values.min().item<int64_t>(), high = values.max().item<int64_t>();
  if (low < 0 || high >= end)
    throw UserError(
        file, fmt::format("'{}' holds {}; expected 0 to {}", name, low < 0 ? low : high, end - 1),
        "Use ids of this model's tokenizer.");
}

// The file as a packed batch, checked against the model.
PackedBatch read_batch(const std::string& file, const Model& model, const at::Device& device) {
  const NamedTensors tensors = read_tensors(file);
  const Tensor ids = required(tensors, file, "ids");          // [T]
  const Tensor offsets = required(tensors, file, "offsets");  // [S + 1]
  const Tensor* types = find_tensor(tensors, "token_types");  // [T]
  const Tensor token_types = types == nullptr ? Tensor() : integers(file, "token_types", *types);
  check_range(file, "ids", ids, model.config().vocab_size);
  if (token_types.defined()) {
    if (token_types.numel() != ids.numel())
      throw UserError(
          file,
          fmt::format("'token_types' has {} entries; ids has {}", token_types.numel(), ids.numel()),
          "Write one for each token.");
    check_range(file, "token_types", token_types, model.config().type_vocab_size);
  }
  const std::vector<int32_t> narrow = [&] {
    const int64_t* data = ids.const_data_ptr<int64_t>();
    return std::vector<int32_t>(data, data + ids.numel());
  }();
  std::vector<int32_t> narrow_types;
  if (token_types.defined()) {
    const int64_t* data = token_types.const_data_ptr<int64_t>();
    narrow_types.assign(data, data + token_types.numel());
  }
  const int64_t* at = offsets.const_data_ptr<int64_t>();
  if (offsets.numel() < 2 || at[0] != 0 || at[offsets.numel() - 1] != ids.numel())
    throw UserError(
        file, fmt::format("'offsets' must rise from 0 to the number of tokens, {}", ids.numel()),
        "Sequence s is ids offsets[s] to offsets[s + 1].");
  std::vector<SequenceView> sequences;
  for (int64_t s = 0; s + 1 < offsets.numel(); ++s) {
    const int64_t length = at[s + 1] - at[s];
    if (length < 1 || length > model.max_length())
      throw UserError(
          file,
          fmt::format("sequence {} has {} tokens; expected 1 to {}", s, length, model.max_length()),
          "Correct 'offsets', or shorten the sequence.");
    sequences.push_back({narrow.data() + at[s],
                         narrow_types.empty() ? nullptr : narrow_types.data() + at[s], length, s});
  }
  return pack(sequences, device);
}

int run(const ForwardArguments& arguments) {
  ConsoleProgress progress(stderr);
  PredictorOptions options{.source = arguments.model, .needs_task = false};
  if (arguments.adapter) options.adapter = *arguments.adapter;
  const auto session = open_predictor(options, progress);
  Model& model = *session->model;
  const PackedBatch batch = read_batch(arguments.input, model, session->device);

  const at::NoGradGuard no_grad;
  Reducer alone;
  const auto fresh = [&] {
    ForwardContext context(Phase::evaluate, static_cast<RandomKey>(session->config.train.seed), 0,
                           alone);
    if (session->attachment) {
      context.loss_statistics = session->attachment->loss_statistics;
      context.loss_statistics.clear();
    }
    return context;
  };
  NamedTensors out;
  const bool has_head = model.labels() > 0;
  if (has_head) {
    ForwardContext context = fresh();
    out.emplace_back("logits", model.logits(batch, context));  // [S, C]
  }
  if (!has_head || arguments.hidden_states) {
    // A separate pass: with a head, the last layer computes only the rows that the head reads.
    std::vector<Tensor> hidden;
    LayerStack* stack = model.sites().stack;
    MIXTUNE_CHECK(stack != nullptr, "the model has no layer stack");
    stack->hidden_states = arguments.hidden_states ? &hidden : nullptr;
    ForwardContext context = fresh();
    const Tensor last = model.last_hidden_state(batch, context);  // [T, D]
    stack->hidden_states = nullptr;
    if (!has_head) out.emplace_back("last_hidden_state", last);
    for (size_t n = 0; n < hidden.size(); ++n)
      out.emplace_back("hidden." + std::to_string(n), hidden[n]);  // [T, D]
  }
  write_tensors(arguments.output, out);
  for (const auto& [name, tensor] : out) fmt::print("{} {}\n", name, shape_text(tensor));
  return kDone;
}

CommandRun declare_forward(CLI::App& app) {
  auto arguments = std::make_shared<ForwardArguments>();
  app.add_option("--model", arguments->model, "Model folder")->required();
  app.add_option("--adapter", arguments->adapter, "Adapter folder to attach to the model");
  app.add_option("--input", arguments->input,
                 "Safetensors file with ids [tokens], offsets [sequences + 1], optionally "
                 "token_types [tokens]")
      ->required();
  app.add_option(
         "--output", arguments->output,
         "Safetensors file to write: logits, or last_hidden_state of a model without a head")
      ->required();
  app.add_flag("--hidden-states", arguments->hidden_states,
               "Also write hidden.0 (the embeddings) to hidden.<layers>");
  return [arguments] { return run(*arguments); };
}

}  // namespace

void register_forward(Registry<CommandEntry>& registry) {
  registry.add({"forward",
                "Compute logits or hidden states of token ids, from file to file",
                {"mixtune forward --model MODEL --adapter runs/q/adapter --input ids.safetensors "
                 "--output logits.safetensors"},
                declare_forward});
}

}  // namespace mixtune
