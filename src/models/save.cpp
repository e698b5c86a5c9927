#include "models/save.h"

#include <algorithm>

#include "base/file.h"
#include "base/json.h"
#include "tensor/tensor_file.h"

namespace mixtune {
namespace {

// The prefix of transformers' class names for a model type.
std::string class_prefix(const std::string& model_type) {
  static const std::map<std::string, std::string> names = {
      {"bert", "Bert"},   {"roberta", "Roberta"}, {"gpt2", "GPT2"},
      {"llama", "Llama"}, {"mistral", "Mistral"}, {"qwen2", "Qwen2"},
      {"qwen3", "Qwen3"}, {"gemma", "Gemma"},     {"gemma2", "Gemma2"}};
  const auto found = names.find(model_type);
  MIXTUNE_CHECK(found != names.end(), "no class for " + model_type);
  return found->second;
}

bool has_dense_head(Model& model) {
  const std::vector<WeightSlot>& weights = model.sites().weights;
  return std::any_of(weights.begin(), weights.end(), [](const WeightSlot& slot) {
    return slot.name == "classifier.out_proj.weight";
  });
}

// The transformers class whose parameter names are those of this model's weights.
std::string architecture(Model& model) {
  const std::string& type = model.config().model_type;
  const std::string prefix = class_prefix(type);
  if (model.is_language_model()) return prefix + (type == "gpt2" ? "LMHeadModel" : "ForCausalLM");
  if (model.labels() == 0) return prefix + "Model";
  const bool is_encoder = !model.config().decoder;
  if (is_encoder && has_dense_head(model) != (type == "roberta"))
    throw UserError("model.head",
                    "is " + std::string(type == "roberta" ? "pooled" : "dense") + " on a " + type +
                        " model; transformers has no class for it",
                    "Train with model.head=auto.");
  return prefix + "ForSequenceClassification";
}

std::string type_name(at::ScalarType dtype) {
  if (dtype == at::kBFloat16) return "bfloat16";
  if (dtype == at::kHalf) return "float16";
  MIXTUNE_CHECK(dtype == at::kFloat, std::string("weights of type ") + toString(dtype));
  return "float32";
}

std::vector<std::string> label_names(const Model& model, const SaveOptions& options) {
  const auto count = static_cast<size_t>(model.labels());
  for (const auto& names : {options.labels, model.config().labels})
    if (names.size() == count) return names;
  std::vector<std::string> out;
  for (size_t i = 0; i < count; ++i) out.push_back("LABEL_" + std::to_string(i));
  return out;
}

std::string config_text(Model& model, const SaveOptions& options) {
  OrderedJson json = parse_ordered_json(model.config().text, "config.json");
  for (const char* stale : {"_name_or_path", "torch_dtype"}) json.erase(stale);
  json["architectures"] = {architecture(model)};
  json["dtype"] = type_name(options.dtype);
  if (options.begin_token && !json.contains("bos_token_id"))
    json["bos_token_id"] = *options.begin_token;
  if (options.end_token && !json.contains("eos_token_id"))
    json["eos_token_id"] = *options.end_token;
  if (model.labels() > 0 && !model.is_language_model()) {
    const std::vector<std::string> names = label_names(model, options);
    OrderedJson by_id = OrderedJson::object(), by_name = OrderedJson::object();
    for (size_t i = 0; i < names.size(); ++i) {
      by_id[std::to_string(i)] = names[i];
      by_name[names[i]] = i;
    }
    json["id2label"] = by_id;
    json["label2id"] = by_name;
    json["problem_type"] = names.size() == 1 ? "regression" : "single_label_classification";
  }
  return json.dump(2, ' ', false, OrderedJson::error_handler_t::replace) + "\n";
}

Tensor as_type(const WeightSlot& slot, at::ScalarType dtype) {
  const Tensor out = slot.view().detach().to(at::kCPU, dtype).contiguous();
  if (!out.isfinite().all().item<bool>())
    throw UserError(slot.name, "has values that are not finite in " + type_name(dtype),
                    "Use --dtype f32 or bf16; if this fails too, the training diverged.");
  return out;
}

}  // namespace

void save_model(Model& model, const std::filesystem::path& folder, const SaveOptions& options) {
  const at::NoGradGuard no_grad;
  const std::string config = config_text(model, options);
  NamedTensors tensors;
  for (const WeightSlot& slot : model.sites().weights)
    tensors.emplace_back(slot.name, as_type(slot, options.dtype));
  create_folder(folder);
  write_tensors(folder / "model.safetensors", tensors);
  write_file_atomically(folder / "config.json", config);
}

}  // namespace mixtune
