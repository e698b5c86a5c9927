// The pickle that torch.save (2.13) writes for the state_dict of a linear of 3 to 2: an OrderedDict
// of two tensors, with the _metadata that modules add.
#pragma once

#include <string>

namespace mixtune::test {

inline std::string state_dict_pickle() {
  using std::string_literals::operator""s;
  return "\x80\x02"
         "ccollections\nOrderedDict\nq\x00)Rq\x01("
         "X\x06\x00\x00\x00weightq\x02"
         "ctorch._utils\n_rebuild_tensor_v2\nq\x03(("
         "X\x07\x00\x00\x00storageq\x04"
         "ctorch\nFloatStorage\nq\x05X\x01\x00\x00\x00"
         "0q\x06X\x03\x00\x00\x00"
         "cpuq\x07K\x06tq\x08QK\x00K\x02K\x03\x86q\tK\x03K\x01\x86q\n\x89h\x00)Rq\x0btq\x0cRq\r"
         "X\x04\x00\x00\x00"
         "biasq\x0eh\x03((h\x04h\x05X\x01\x00\x00\x00"
         "1q\x0fh\x07K\x02tq\x10QK\x00K\x02\x85q\x11K\x01\x85q\x12\x89h\x00)Rq\x13tq\x14Rq\x15u}"
         "q\x16"
         "X\t\x00\x00\x00_metadataq\x17h\x00)Rq\x18X\x00\x00\x00\x00q\x19}q\x1aX\x07\x00\x00\x00"
         "versionq\x1bK\x01sssb."s;
}

}  // namespace mixtune::test
