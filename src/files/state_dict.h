// Reads the pickle inside a file of torch.save, as far as a state_dict requires: dictionaries,
// lists, numbers, strings, storages and tensors. Nothing is imported or called: any other name in a
// pickle is rejected with an error. It does not depend on torch and does not trust the file: every
// index, length and size is checked.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "files/dtype.h"

namespace mixtune {

// A tensor of the dictionary: a view of a storage, which is data/<key> in the zip file.
struct PickledTensor {
  std::string name;
  std::string key;
  DType type = DType::F32;
  int64_t elements = 0;  // of the storage
  int64_t offset = 0;    // in elements, like the strides
  std::vector<int64_t> sizes = {}, strides = {};
};

// The tensors of the outermost dictionary, in its order. Throws UserError at `where` for a pickle
// that is malformed or contains anything other than data.
std::vector<PickledTensor> read_state_dict(std::string_view pickle, const std::string& where);

}  // namespace mixtune
