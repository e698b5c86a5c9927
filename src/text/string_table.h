// Maps strings to numbers; built once and read often. Open addressing over views into memory that
// the owner keeps alive.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

namespace mixtune {

// Mixes eight bytes at a time by multiplication. Not a cryptographic hash.
inline uint64_t hash_of(std::string_view text) {
  constexpr uint64_t kFactor = 0x9E3779B97F4A7C15u;
  const auto mix = [](uint64_t a, uint64_t b) {
    const auto product = static_cast<unsigned __int128>(a) * b;
    return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
  };
  const char* at = text.data();
  size_t left = text.size();
  uint64_t hash = left * kFactor + 1;
  uint64_t word = 0;
  for (; left > 8; left -= 8, at += 8) {
    std::memcpy(&word, at, 8);
    hash = mix(hash ^ word, kFactor);
  }
  // Up to eight bytes remain. They are read by one or two loads of fixed size: a copy of variable
  // size would be a call.
  if (left >= 4) {
    uint32_t low = 0, high = 0;
    std::memcpy(&low, at, 4);
    std::memcpy(&high, at + left - 4, 4);
    word = low | static_cast<uint64_t>(high) << 32;
  } else if (left > 0) {
    word = static_cast<uint8_t>(at[0]) |
           static_cast<uint64_t>(static_cast<uint8_t>(at[left / 2])) << 8 |
           static_cast<uint64_t>(static_cast<uint8_t>(at[left - 1])) << 16;
  } else {
    word = 0;
  }
  return mix(hash ^ word, kFactor ^ 0x5851F42D4C957F2Du);
}

class StringTable {
 public:
  // `capacity`: the maximum number of entries.
  explicit StringTable(size_t capacity = 0) {
    size_t slots = 16;
    while (slots < capacity * 2) slots *= 2;
    slots_.resize(slots);
  }

  // The text must outlive the table. Returns the number stored for it: `number` if the text is new.
  int32_t add(std::string_view text, int32_t number) {
    Slot& slot = slots_[position(text, hash_of(text))];
    if (slot.number < 0) slot = {text, number};
    return slot.number;
  }

  int32_t find(std::string_view text) const {
    return slots_[position(text, hash_of(text))].number;  // -1: absent
  }

 private:
  struct Slot {
    std::string_view text;
    int32_t number = -1;
  };

  size_t position(std::string_view text, uint64_t hash) const {
    const size_t mask = slots_.size() - 1;
    size_t at = hash & mask;
    while (slots_[at].number >= 0 && slots_[at].text != text) at = (at + 1) & mask;
    return at;
  }

  std::vector<Slot> slots_;
};

}  // namespace mixtune
