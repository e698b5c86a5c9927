#!/usr/bin/env bash
# cmake/libtorch.cmake on trees that are made up: a CUDA build where no CUDA toolkit is, the ways to name a libtorch,
# and what is said where there is none. Run by ctest; needs a compiler, CMake and python3, no libtorch.
set -euo pipefail
source=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unset Torch_DIR CMAKE_PREFIX_PATH MIXTUNE_PYTHON CUDACXX CUDA_PATH

fail() { echo "FAILED: $1" >&2; cat "$work/log" >&2; exit 1; }
# CMake breaks its messages into lines.
expect() { tr -s ' \n' ' ' < "$work/log" | grep -F -- "$1" > /dev/null || fail "'$1' was expected"; }

# PATH of a machine with a compiler and no nvcc; python3 has no torch unless PYTHONPATH says so.
mkdir "$work/bin"
ln -s /usr/bin/* "$work/bin/"
for tool in g++ c++ cmake ninja make; do ! path=$(command -v $tool) || ln -sf "$path" "$work/bin/$tool"; done
rm -f "$work/bin/nvcc" "$work/bin/python3"
python=$(python3 -c 'import sys; print(sys.executable)')
printf '#!/bin/sh\nexec "%s" -S "$@"\n' "$python" > "$work/bin/python3"
chmod +x "$work/bin/python3"
export PATH="$work/bin"

# library FILE SOURCE [OPTION...]
library() { mkdir -p "${1%/*}"; g++ -shared -fPIC -x c++ - -x none -o "$1" -Wl,-soname,"${1##*/}" "${@:3}" <<< "$2"; }

# tree FOLDER VERSION [cuda]: a torch package. Its CUDA library counts itself as a device when it is loaded, as the
# real one does, and needs one of the nvidia packages.
tree() {
  local torch=$1/torch nvidia=$1/nvidia/cu13/lib
  mkdir -p "$torch/include/ATen" "$torch/include/torch/headeronly" "$torch/share/cmake/Torch"
  touch "$torch/__init__.py" "$torch/include/ATen/ATen.h"
  echo 'message(FATAL_ERROR "Your installed Caffe2 version uses CUDA")' > "$torch/share/cmake/Torch/TorchConfig.cmake"
  IFS=. read -r major minor patch <<< "$2"
  printf '#define TORCH_VERSION_%s %s\n' MAJOR "$major" MINOR "$minor" PATCH "$patch" \
    > "$torch/include/torch/headeronly/version.h"
  library "$torch/lib/libc10.so" 'int devices = 0;'
  library "$torch/lib/libtorch_cpu.so" \
    'extern int devices; int device_count() { return devices; }' -L"$torch/lib" -lc10 '-Wl,-rpath,$ORIGIN'
  [ "${3:-}" = cuda ] || return 0
  library "$nvidia/libcudart.so.13" 'int runtime() { return 1; }'
  library "$torch/lib/libc10_cuda.so" 'int runtime(); int device() { return runtime(); }' "$nvidia/libcudart.so.13" \
    '-Wl,-rpath,$ORIGIN/../../nvidia/cu13/lib'
  library "$torch/lib/libtorch_cuda.so" 'int device(); extern int devices; static int counted = devices += device();' \
    -L"$torch/lib" -lc10_cuda -lc10 -Wl,-rpath-link,"$nvidia" '-Wl,-rpath,$ORIGIN'
}

mkdir -p "$work/trial"
cat > "$work/trial/CMakeLists.txt" << END
cmake_minimum_required(VERSION 3.25)
project(trial LANGUAGES CXX)
include($source/cmake/libtorch.cmake)
add_executable(trial trial.cpp)
target_link_libraries(trial PRIVATE \${TORCH_LIBRARIES})
END
echo '#include <cstdio>
int device_count();
int main() { std::printf("%d devices\n", device_count()); }' > "$work/trial/trial.cpp"
configure() { cmake -S "$work/trial" -B "$work/build" "$@" > "$work/log" 2>&1; }
again() { rm -rf "$work/build"; configure "$@"; }

tree "$work/cuda" 2.13.0 cuda
tree "$work/cpu" 2.11.1
tree "$work/old" 2.10.0

# A CUDA build of a Python's torch: links without a toolkit, is kept by the linker, finds the nvidia packages.
export PYTHONPATH="$work/cuda"
again -DMIXTUNE_PYTHON=python3 || fail "the CUDA build was not configured"
expect "libtorch 2.13.0, CUDA build: $work/cuda/torch"
cmake --build "$work/build" > "$work/log" 2>&1 || fail "the program was not linked"
"$work/build/trial" > "$work/log" 2>&1 || fail "the program does not start"
expect "1 devices"
readelf -d "$work/build/trial" > "$work/log"
expect "$work/cuda/nvidia/cu13/lib"
expect libc10_cuda.so

# All of mixtune is configured with it too, without kernels of our own.
if cmake -S "$source" -B "$work/mixtune" -DMIXTUNE_PYTHON=python3 -DMIXTUNE_TESTS=OFF > "$work/log" 2>&1; then
  expect "CUDA build"
  ! grep -q 'CUDA compiler identification' "$work/log" || fail "a CUDA compiler was found"
else
  fail "mixtune was not configured"
fi
unset PYTHONPATH

# The ways to name one; a variable of the environment is remembered.
again -DTorch_DIR="$work/cpu/torch/share/cmake/Torch" || fail "Torch_DIR"
expect "libtorch 2.11.1, CPU build: $work/cpu/torch"
Torch_DIR="$work/cpu/torch" again || fail "Torch_DIR of the environment"
expect "libtorch 2.11.1"
CMAKE_PREFIX_PATH="/nowhere:$work/cpu/torch/share/cmake" again || fail "CMAKE_PREFIX_PATH of the environment"
expect "libtorch 2.11.1"
configure || fail "without the environment"
expect "libtorch 2.11.1"
configure -DCMAKE_PREFIX_PATH="$work/cuda/torch" || fail "CMAKE_PREFIX_PATH"
expect "libtorch 2.13.0"

again -DTorch_DIR="$work/old/torch" || fail "an old libtorch"
expect "mixtune is tested with 2.11 to 2.13"
! again -DTorch_DIR="$work" || fail "a Torch_DIR without libtorch was taken"
expect "Torch_DIR is $work, where no libtorch is"
! again -DMIXTUNE_PYTHON=python3 || fail "a Python without torch was taken"
expect "which has no torch package"
! again || fail "no libtorch was needed"
expect "libtorch was not found. Run 'make build'"
echo "libtorch: all as expected"
