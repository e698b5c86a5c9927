// One thread per Philox block computes the eight decisions of one lane of a group of 64 columns
// (mask_kernel.inc defines which column uses which bits).
#include "tensor/mask_cuda.h"

namespace mixtune {
namespace {

constexpr int kLanes = 8, kGroup = 64, kThreads = 256;

__global__ void fill(DeviceMask mask, int64_t groups) {
  const int64_t index = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  const int64_t row = index / (groups * kLanes);
  if (row >= mask.rows) return;
  const int64_t block = index % (groups * kLanes), group = block / kLanes, lane = block % kLanes;
  uint32_t c0 = static_cast<uint32_t>(block), c1 = static_cast<uint32_t>(mask.token[row]);
  uint32_t c2 = static_cast<uint32_t>(mask.example[row]), c3 = mask.step;
  uint32_t k0 = static_cast<uint32_t>(mask.key), k1 = static_cast<uint32_t>(mask.key >> 32);
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = uint64_t{0xD2511F53u} * c0, p1 = uint64_t{0xCD9E8D57u} * c2;
    c0 = static_cast<uint32_t>(p1 >> 32) ^ c1 ^ k0;
    c1 = static_cast<uint32_t>(p1);
    c2 = static_cast<uint32_t>(p0 >> 32) ^ c3 ^ k1;
    c3 = static_cast<uint32_t>(p0);
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  const uint32_t words[4] = {c0, c1, c2, c3};
  float* const out = mask.factors + row * mask.columns;
  for (int half = 0; half < 8; ++half) {
    const int64_t column = group * kGroup + half * kLanes + lane;
    const uint32_t decision = (words[half / 2] >> (16 * (half % 2))) & 0xFFFFu;
    if (column < mask.columns) out[column] = decision < mask.threshold ? 0.0f : mask.scale;
  }
}

}  // namespace

int fill_mask_on_device(const DeviceMask& mask) {
  const int64_t groups = (mask.columns + kGroup - 1) / kGroup;
  const int64_t threads = mask.rows * groups * kLanes;
  if (threads == 0) return 0;
  fill<<<static_cast<unsigned>((threads + kThreads - 1) / kThreads), kThreads>>>(mask, groups);
  return static_cast<int>(cudaGetLastError());
}

}  // namespace mixtune
