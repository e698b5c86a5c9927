// Tensors to and from safetensors files. Reading maps the file: a tensor shares the mapping and
// keeps it alive, unless its bytes are not aligned, in which case it is a copy. The mapping is
// read-only: copy before writing.
#pragma once

#include <filesystem>

#include "files/dtype.h"
#include "tensor/tensor.h"

namespace mixtune {

using NamedTensors = std::vector<std::pair<std::string, Tensor>>;

at::ScalarType tensor_type(DType dtype);
// `name` is the tensor's name, for the message about a type that files do not support.
DType file_type(const std::string& name, at::ScalarType type);

// One file, in the order of names; each tensor keeps the type it has in the file. UserError for a
// malformed file and for types that tensors do not support.
NamedTensors read_tensors(const std::filesystem::path& file);

// Whether a folder's only model file is pytorch_model.bin.
bool is_pickled_model(const std::filesystem::path& folder);

// The model of a folder: model.safetensors, the shards of model.safetensors.index.json, or
// pytorch_model.bin.
NamedTensors read_model_tensors(const std::filesystem::path& folder);

// A pytorch_model.bin: the zip of torch.save with a dictionary of tensors (files/state_dict.h).
// UserError for anything else.
NamedTensors read_pickled_tensors(const std::filesystem::path& file);

// Writes atomically; tensors are made contiguous on the CPU. Equal tensors give byte-equal files.
void write_tensors(const std::filesystem::path& file, const NamedTensors& tensors,
                   const std::map<std::string, std::string>& metadata = {});

const Tensor* find_tensor(const NamedTensors& tensors, const std::string& name);

}  // namespace mixtune
