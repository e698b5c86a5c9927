// Initializes the weights of a decoder that is trained from scratch, and implements the defaults of
// models without a language head.
#include <cmath>

#include "models/model.h"

namespace mixtune {
namespace {

// GPT-2 (Radford et al. 2019, section 2.3): scaled so that the sum of 2 L sublayers has the
// variance of one.
bool is_scaled(const WeightSlot& slot, const ModelConfig& config) {
  return config.model_type == "gpt2" && slot.name.ends_with(".c_proj.weight");
}

}  // namespace

void initialize_decoder(Model& model, RandomKey seed) {
  const at::NoGradGuard no_grad;
  const ModelConfig& config = model.config();
  MIXTUNE_CHECK(config.decoder.has_value(), "only decoders can be trained from scratch");
  for (const WeightSlot& slot : model.sites().weights) {
    const Tensor view = slot.view();
    if (slot.kind == WeightKind::bias || slot.name.ends_with(".bias")) {
      view.zero_();
    } else if (slot.kind == WeightKind::norm) {
      view.fill_(1 - config.decoder->norm_offset);  // Gemma's norms multiply by 1 + weight
    } else {
      double deviation = config.initializer_range;
      if (is_scaled(slot, config)) deviation /= std::sqrt(2.0 * static_cast<double>(config.layers));
      view.copy_(normal_tensor(view.sizes(), deviation, derive(seed, slot.name)));
    }
  }
}

Tensor Model::head_input(const PackedBatch&, ForwardContext&, const SelectedRows*) {
  bug(__FILE__, __LINE__, "is_language_model()", config().model_type);
}

LanguageHead Model::language_head() const {
  bug(__FILE__, __LINE__, "is_language_model()", config().model_type);
}

}  // namespace mixtune
