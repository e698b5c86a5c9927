// Loads a model from a Hugging Face folder: maps the names in the file to weights, reports missing
// and unexpected weights, and initializes a new head.
#include <algorithm>
#include <set>

#include "models/bert.h"
#include "models/decoder.h"
#include "tensor/tensor_file.h"

namespace mixtune {
namespace {

// Old files use gamma and beta for weight and bias.
std::string current_name(std::string name) {
  const auto replace_end = [&](std::string_view old_end, std::string_view new_end) {
    if (name.ends_with(old_end))
      name.replace(name.size() - old_end.size(), old_end.size(), new_end);
  };
  replace_end("LayerNorm.gamma", "LayerNorm.weight");
  replace_end("LayerNorm.beta", "LayerNorm.bias");
  return name;
}

// Removes the prefix of the base model, which files may or may not have.
std::string canonical(const std::string& name, const ModelConfig& config) {
  const std::string prefix = !config.decoder               ? config.model_type + "."
                             : config.model_type == "gpt2" ? "transformer."
                                                           : "model.";
  return name.starts_with(prefix) ? name.substr(prefix.size()) : name;
}

// Unused buffers of old files, and a head that is tied to the embedding.
bool is_ignored(const std::string& name, const ModelConfig& config) {
  if (!config.decoder) return name.ends_with("position_ids");
  return name.ends_with(".attn.bias") || name.ends_with(".attn.masked_bias") ||
         name.ends_with("rotary_emb.inv_freq") ||
         (config.decoder->tied && name == "lm_head.weight");
}

std::string shape_of(const std::vector<int64_t>& shape) {
  return shape_text(at::empty(shape, at::TensorOptions().device(at::kMeta)));
}

[[noreturn]] void wrong_shape(const std::string& where, const std::string& name,
                              const Tensor& found, const Tensor& expected) {
  throw UserError(where,
                  name + " has shape " + shape_of(found.sizes().vec()) + "; config.json requires " +
                      shape_of(expected.sizes().vec()),
                  "Use the config.json that belongs to these weights.");
}

void check_missing(const std::vector<std::string>& missing, const std::string& where) {
  if (missing.empty()) return;
  std::vector<std::string> first(missing.begin(),
                                 missing.begin() + std::min<size_t>(3, missing.size()));
  throw UserError(where,
                  "lacks " + std::to_string(missing.size()) + " weights of the model, such as " +
                      join_names(first),
                  "Is the file complete, and is model_type in config.json correct?");
}

void initialize(const WeightSlot& slot, double range, RandomKey seed) {
  const Tensor view = slot.view();
  if (slot.kind == WeightKind::bias)
    view.zero_();
  else
    view.copy_(normal_tensor(view.sizes(), range, derive(seed, slot.name)));
}

HeadKind head_kind(const ModelConfig& config, const LoadOptions& options) {
  if (options.head) return *options.head;
  const auto is_for = [&](std::string_view end) {
    return std::any_of(config.architectures.begin(), config.architectures.end(),
                       [&](const std::string& name) { return name.ends_with(end); });
  };
  const bool classifies = options.labels || is_for("ForSequenceClassification");
  if (config.decoder) {
    if (classifies) return HeadKind::last_token;
    return is_for("ForCausalLM") || is_for("LMHeadModel") ? HeadKind::language : HeadKind::none;
  }
  if (!classifies) return HeadKind::none;
  return config.model_type == "roberta" ? HeadKind::dense : HeadKind::pooled;
}

}  // namespace

std::unique_ptr<Model> make_model(const ModelConfig& config, HeadKind head, int64_t labels,
                                  const at::TensorOptions& options) {
  if (!config.decoder) return make_bert(config, head, labels, options);
  return config.model_type == "gpt2" ? make_gpt2(config, head, labels, options)
                                     : make_llama(config, head, labels, options);
}

LoadedModel load_model(const std::filesystem::path& folder, const LoadOptions& options) {
  ModelConfig config = read_model_config(folder);
  if (options.dropout) set_dropout(config, *options.dropout);
  const HeadKind head = head_kind(config, options);
  const int64_t described = config.labels.empty() ? 2 : static_cast<int64_t>(config.labels.size());
  const at::TensorOptions kind = at::TensorOptions().dtype(at::kFloat).device(options.device);
  LoadedModel out{make_model(config, head, options.labels.value_or(described), kind), {}};

  const at::NoGradGuard no_grad;
  const std::string where = folder.string();
  if (options.from_scratch) {
    if (!config.decoder)
      throw UserError(
          "model.from_scratch",
          "is set, and " + where + " is an encoder (" + config.model_type + "); expected a decoder",
          "Set model.path to a folder with a decoder's config.json.");
    initialize_decoder(*out.model, derive(options.seed, "scratch"));
    return out;
  }
  std::map<std::string, std::pair<std::string, Tensor>> file;  // canonical name to name and tensor
  for (auto& [name, tensor] : read_model_tensors(folder)) {
    if (is_ignored(name, config)) continue;
    const std::string current = current_name(name), key = canonical(current, config);
    if (!file.emplace(key, std::make_pair(current, tensor)).second)
      throw UserError(where, "has " + key + " twice, with and without prefix or under an old name",
                      "Remove one of the two.");
  }
  std::set<std::string> used;
  std::vector<std::string> absent;
  for (const WeightSlot& slot : out.model->sites().weights) {
    const std::string key = canonical(slot.name, config);
    const auto found = file.find(key);
    const Tensor view = slot.view();
    if (found != file.end()) {
      used.insert(key);
      const Tensor& tensor = found->second.second;
      if (tensor.sizes() == view.sizes() && tensor.is_floating_point()) {
        view.copy_(tensor);
        ++out.report.loaded;
        continue;
      }
      // A head with another number of labels is replaced; any other mismatch is an error.
      if (slot.part != WeightPart::head) wrong_shape(where, found->second.first, tensor, view);
    }
    if (slot.part == WeightPart::backbone) {
      absent.push_back(slot.name);
      continue;
    }
    initialize(slot, config.initializer_range, derive(options.seed, "head"));
    (slot.part == WeightPart::head ? out.report.newly_initialized : out.report.missing)
        .push_back(slot.name);
  }
  check_missing(absent, where);
  for (const auto& [key, entry] : file)
    if (!used.contains(key)) out.report.unexpected.push_back(entry.first);
  std::sort(out.report.missing.begin(), out.report.missing.end());
  return out;
}

}  // namespace mixtune
