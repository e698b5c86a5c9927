// The pickle inside a file of torch.save, as far as a state_dict needs it: dictionaries, lists,
// numbers, texts, storages and tensors on them. Nothing is imported and nothing is called: anything
// else that a pickle asks for is refused by its name. No torch, and no trust in the file: every
// index, length and size is checked.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "files/dtype.h"

namespace mixtune {

// A tensor of the dictionary: a view of a storage, which the zip holds as data/<key>.
struct PickledTensor {
  std::string name;
  std::string key;
  DType type = DType::F32;
  int64_t elements = 0;  // of the storage
  int64_t offset = 0;    // in elements, as the strides are
  std::vector<int64_t> sizes = {}, strides = {};
};

// The entries of the outermost dictionary that are tensors, in its order. UserError at `where` for
// a pickle that is malformed or holds something else than data.
std::vector<PickledTensor> read_state_dict(std::string_view pickle, const std::string& where);

}  // namespace mixtune
