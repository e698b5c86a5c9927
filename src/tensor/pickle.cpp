#include <torch/csrc/jit/serialization/pickle.h>

#include "base/file.h"
#include "tensor/tensor_file.h"

namespace molt {

NamedTensors read_pickled_tensors(const std::filesystem::path& file) {
  const std::string bytes = read_file(file);
  c10::IValue value;
  try {
    value = torch::jit::pickle_load({bytes.begin(), bytes.end()});
  } catch (const std::exception&) {
    throw UserError(file.string(), "is not a zip of torch.save that holds tensors by name alone",
                    "Save the model as model.safetensors.");
  }
  NamedTensors out;
  if (value.isGenericDict())
    for (const auto& entry : value.toGenericDict())
      if (entry.key().isString() && entry.value().isTensor())
        out.emplace_back(entry.key().toStringRef(), entry.value().toTensor().contiguous());
  if (out.empty())
    throw UserError(file.string(), "holds no tensors by name",
                    "Expected the state_dict of a model; save it as model.safetensors.");
  return out;
}

}  // namespace molt
