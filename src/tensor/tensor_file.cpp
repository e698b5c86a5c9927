#include "tensor/tensor_file.h"

#include <cstring>

#include "files/safetensors.h"
#include "files/tensor_files.h"

namespace mixtune {
namespace {

struct TypePair {
  DType file;
  at::ScalarType tensor;
};

constexpr TypePair kTypes[] = {{DType::F64, at::kDouble},
                               {DType::F32, at::kFloat},
                               {DType::F16, at::kHalf},
                               {DType::BF16, at::kBFloat16},
                               {DType::C64, at::kComplexFloat},
                               {DType::F8_E4M3, at::kFloat8_e4m3fn},
                               {DType::F8_E5M2, at::kFloat8_e5m2},
                               {DType::F8_E8M0, at::kFloat8_e8m0fnu},
                               {DType::I64, at::kLong},
                               {DType::I32, at::kInt},
                               {DType::I16, at::kShort},
                               {DType::I8, at::kChar},
                               {DType::U64, at::kUInt64},
                               {DType::U32, at::kUInt32},
                               {DType::U16, at::kUInt16},
                               {DType::U8, at::kByte},
                               {DType::BOOL, at::kBool}};

Tensor to_tensor(const SafetensorsFile& file, const TensorInfo& info) {
  const at::TensorOptions options = at::TensorOptions().dtype(tensor_type(info.dtype));
  const auto bytes = file.bytes(info);
  if (bytes.empty()) return at::empty(info.shape, options);
  auto* data = const_cast<std::byte*>(bytes.data());
  if (reinterpret_cast<uintptr_t>(data) % dtype_bytes(info.dtype) == 0)
    return at::from_blob(
        data, info.shape, [owner = file.mapping()](void*) {}, options);
  Tensor copy = at::empty(info.shape, options);
  std::memcpy(copy.data_ptr(), data, bytes.size());
  return copy;
}

void append(const SafetensorsFile& file, NamedTensors& out) {
  for (const TensorInfo& info : file.tensors()) out.emplace_back(info.name, to_tensor(file, info));
}

}  // namespace

DType file_type(const std::string& name, at::ScalarType type) {
  for (const TypePair& pair : kTypes)
    if (pair.tensor == type) return pair.file;
  throw BugError(name + " has a type that files do not support");
}

at::ScalarType tensor_type(DType dtype) {
  for (const TypePair& pair : kTypes)
    if (pair.file == dtype) return pair.tensor;
  throw BugError("no scalar type for " + std::string(dtype_name(dtype)));
}

NamedTensors read_tensors(const std::filesystem::path& file) {
  NamedTensors out;
  append(SafetensorsFile::open(file), out);
  return out;
}

bool is_pickled_model(const std::filesystem::path& folder) {
  const auto has = [&](const char* name) { return std::filesystem::exists(folder / name); };
  return has("pytorch_model.bin") && !has("model.safetensors") &&
         !has("model.safetensors.index.json");
}

NamedTensors read_model_tensors(const std::filesystem::path& folder) {
  if (is_pickled_model(folder)) return read_pickled_tensors(folder / "pytorch_model.bin");
  NamedTensors out;
  const TensorFiles model = open_model(folder);
  for (const SafetensorsFile& file : model.files()) append(file, out);
  return out;
}

void write_tensors(const std::filesystem::path& file, const NamedTensors& tensors,
                   const std::map<std::string, std::string>& metadata) {
  std::vector<Tensor> host;
  std::vector<TensorToWrite> list;
  for (const auto& [name, tensor] : tensors) {
    host.push_back(tensor.detach().to(at::kCPU).contiguous());
    list.push_back({name, file_type(name, tensor.scalar_type()), tensor.sizes().vec(),
                    host.back().data_ptr(), static_cast<size_t>(host.back().nbytes())});
  }
  write_safetensors(file, std::move(list), metadata);
}

const Tensor* find_tensor(const NamedTensors& tensors, const std::string& name) {
  for (const auto& [candidate, tensor] : tensors)
    if (candidate == name) return &tensor;
  return nullptr;
}

}  // namespace mixtune
