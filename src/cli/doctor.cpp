// mixtune doctor: versions, and the hardware of this machine that libtorch can use.
#include <ATen/Context.h>
#include <ATen/Version.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <fmt/format.h>
#include <torch/version.h>
#include <CLI/CLI.hpp>

#include <fstream>

#include "base/memory.h"
#include "cli/command.h"
#include "cli/console.h"
#include "cli/program.h"
#include "cli/recipes.h"
#include "tensor/tensor.h"

namespace mixtune {
namespace {

// The value of a line "key : value" in a file of /proc; empty if there is none.
std::string proc_value(const char* file, const std::string& key) {
  std::ifstream stream(file);
  for (std::string line; std::getline(stream, line);) {
    if (!line.starts_with(key)) continue;
    const size_t colon = line.find(':');
    const size_t begin = line.find_first_not_of(" \t", colon + 1);
    return begin == std::string::npos ? "" : line.substr(begin);
  }
  return "";
}

std::string cpu_features() {
  std::string out;
#if defined(__x86_64__)
  const auto add = [&](bool has, const char* name) {
    if (has) out += std::string(out.empty() ? "" : " ") + name;
  };
  add(__builtin_cpu_supports("avx2"), "AVX2");
  add(__builtin_cpu_supports("fma"), "FMA");
  add(__builtin_cpu_supports("avx512f"), "AVX-512");
  add(__builtin_cpu_supports("avx512vnni"), "AVX-512-VNNI");
  const std::string flags = proc_value("/proc/cpuinfo", "flags");
  add(flags.find("avx512_bf16") != std::string::npos, "AVX-512-BF16");
  add(flags.find("amx_bf16") != std::string::npos, "AMX-BF16");
#endif
  return out.empty() ? "none with kernels in libtorch" : out;
}

std::string bf16_text() {
  const std::string flags = proc_value("/proc/cpuinfo", "flags");
  const bool is_fast =
      flags.find("avx512_bf16") != std::string::npos || flags.find("amx_bf16") != std::string::npos;
  return is_fast ? "fast on this CPU" : "slower than float32 on this CPU";
}

std::string cuda_text() {
  if (!at::hasCUDA()) return "not available: libtorch is a CPU build, or no driver was found";
  const int count = at::detail::getCUDAHooks().deviceCount();
  return count == 0 ? "no device"
                    : fmt::format("{} device{}, usable", count, count == 1 ? "" : "s");
}

CommandRun declare_doctor(CLI::App&) {
  return [] {
    ConsoleTable table({});
    table.align_left(1);
    table.add({"mixtune", version()});
    table.add({"libtorch", fmt::format("{}, {} ABI of std::string", TORCH_VERSION,
                                       _GLIBCXX_USE_CXX11_ABI ? "C++11" : "old")});
    table.add({"compiler", fmt::format("GCC {}, C++ {}", __VERSION__, __cplusplus)});
    table.add({"CPU", proc_value("/proc/cpuinfo", "model name")});
    table.add({"instructions", cpu_features() + "; libtorch uses " + at::get_cpu_capability()});
    table.add({"bfloat16", bf16_text()});
    table.add({"matrix libraries", fmt::format("MKL {}, oneDNN {}", at::hasMKL() ? "yes" : "no",
                                               at::hasMKLDNN() ? "yes" : "no")});
    table.add({"threads", std::to_string(at::get_num_threads())});
    table.add({"memory", fmt::format("{} free of {}", bytes_text(available_memory()),
                                     bytes_text(total_memory()))});
    table.add({"CUDA", cuda_text()});
    std::string folders;
    for (const auto& folder : recipe_folders())
      folders += (folders.empty() ? "" : ", ") + folder.string();
    table.add({"recipes", folders.empty() ? "none found; give recipe files by path" : folders});
    fmt::print("{}", table.text());
    return kDone;
  };
}

}  // namespace

void register_doctor(Registry<CommandEntry>& registry) {
  registry.add({"doctor",
                "Print versions, devices and memory of this machine",
                {"mixtune doctor"},
                declare_doctor});
}

}  // namespace mixtune
