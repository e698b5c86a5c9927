// The mask kernel for CUDA devices, compiled where CMake finds a CUDA compiler and a libtorch with
// CUDA. Plain types, so that the compiler of the kernel reads no header of libtorch.
#pragma once

#include <cstdint>

namespace mixtune {

struct DeviceMask {
  float* factors;                  // [rows, columns] of the device
  const int64_t *token, *example;  // [rows] of the device
  int64_t rows, columns;
  uint64_t key;
  uint32_t step, threshold;
  float scale;
};

// Queued on the default stream; the same bits as the kernels of the CPU. Returns an error code of
// the launch, 0 where there was none.
int fill_mask_on_device(const DeviceMask& mask);

}  // namespace mixtune
