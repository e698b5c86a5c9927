#include <caffe2/serialize/inline_container.h>

#include "files/state_dict.h"
#include "tensor/tensor_file.h"

namespace mixtune {
namespace {

using caffe2::serialize::PyTorchStreamReader;

[[noreturn]] void no_archive(const std::string& where, const std::string& found) {
  throw UserError(where, found, "Save the model as model.safetensors.");
}

// The elements of a storage, flat.
Tensor storage_of(PyTorchStreamReader& zip, const PickledTensor& one, const std::string& where) {
  const std::string record = "data/" + one.key;
  const auto expected = static_cast<uint64_t>(one.elements) * dtype_bytes(one.type);
  if (!zip.hasRecord(record) || zip.getRecordSize(record) != expected)
    no_archive(where, "does not hold the " + std::to_string(expected) + " bytes of " + one.name);
  auto [data, size] = zip.getRecord(record);
  const auto owner = std::make_shared<at::DataPtr>(std::move(data));
  return at::from_blob(
      owner->get(), {one.elements}, [owner](void*) {},
      at::TensorOptions().dtype(tensor_type(one.type)));
}

NamedTensors tensors_of(PyTorchStreamReader& zip, const std::string& where) {
  if (zip.hasRecord("byteorder")) {
    const auto [order, size] = zip.getRecord("byteorder");
    if (std::string_view(static_cast<const char*>(order.get()), size) != "little")
      no_archive(where, "is not little-endian");
  }
  const auto [pickle, size] = zip.getRecord("data.pkl");
  NamedTensors out;
  std::map<std::string, Tensor> storages;  // tied weights share a storage
  for (const PickledTensor& one :
       read_state_dict({static_cast<const char*>(pickle.get()), size}, where)) {
    auto found = storages.find(one.key);
    if (found == storages.end())
      found = storages.emplace(one.key, storage_of(zip, one, where)).first;
    const Tensor& storage = found->second;
    if (storage.scalar_type() != tensor_type(one.type) || storage.numel() != one.elements)
      no_archive(where, "has tensors that disagree on the size or type of storage " + one.key);
    out.emplace_back(one.name, storage.as_strided(one.sizes, one.strides, one.offset).contiguous());
  }
  return out;
}

}  // namespace

NamedTensors read_pickled_tensors(const std::filesystem::path& file) {
  const std::string where = file.string();
  NamedTensors out;
  try {
    PyTorchStreamReader zip(where);
    out = tensors_of(zip, where);
  } catch (const UserError&) {
    throw;
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const std::exception& error) {
    // The first line of the message distinguishes a broken zip from a failed allocation.
    const std::string_view text = error.what();
    no_archive(where, "cannot be read as a zip of torch.save (" +
                          std::string(text.substr(0, text.find('\n'))) + ")");
  }
  if (out.empty())
    throw UserError(where, "holds no named tensors",
                    "Expected the state_dict of a model; save it as model.safetensors.");
  return out;
}

}  // namespace mixtune
