// The mask kernel for CUDA devices, compiled where CMake finds a CUDA compiler and a libtorch with
// CUDA. It uses plain types, so that the CUDA compiler includes no header of libtorch.
#pragma once

#include <cstdint>

namespace mixtune {

struct DeviceMask {
  float* factors;                  // [rows, columns] on the device
  const int64_t *token, *example;  // [rows] on the device
  int64_t rows, columns;
  uint64_t key;
  uint32_t step, threshold;
  float scale;
};

// Queued on the default stream; gives the same bits as the CPU kernels. Returns the error code of
// the launch, 0 on success.
int fill_mask_on_device(const DeviceMask& mask);

}  // namespace mixtune
