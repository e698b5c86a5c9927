# Everything outside: Debian's libraries and libtorch. libtorch is an existing Torch_DIR or
# CMAKE_PREFIX_PATH, else the torch of the Python that is named by MIXTUNE_PYTHON or found first.
find_package(yaml-cpp REQUIRED)
find_package(fmt REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(CLI11 REQUIRED)
find_library(ONIG_LIBRARY onig REQUIRED)
find_library(UTF8PROC_LIBRARY utf8proc REQUIRED)
find_library(SENTENCEPIECE_LIBRARY sentencepiece REQUIRED)

find_package(Torch QUIET)
if(NOT Torch_FOUND)
  set(MIXTUNE_PYTHON "" CACHE FILEPATH "Python whose torch package provides libtorch")
  foreach(python "${MIXTUNE_PYTHON}" "${CMAKE_SOURCE_DIR}/.venv/bin/python" python3)
    if(NOT Torch_FOUND AND NOT python STREQUAL "")
      execute_process(COMMAND ${python} -c "import torch; print(torch.utils.cmake_prefix_path)"
                      OUTPUT_VARIABLE torch_prefix OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET
                      RESULT_VARIABLE torch_missing)
      if(torch_missing EQUAL 0)
        list(APPEND CMAKE_PREFIX_PATH "${torch_prefix}")
        find_package(Torch QUIET)
      endif()
    endif()
  endforeach()
endif()
if(NOT Torch_FOUND)
  message(FATAL_ERROR "libtorch was not found. Run 'make build' (it installs torch 2.13.0 into .venv), "
                      "or pass -DTorch_DIR=... or -DMIXTUNE_PYTHON=/path/to/python with torch 2.11 to 2.13.")
endif()
if(Torch_VERSION VERSION_LESS 2.11 OR Torch_VERSION VERSION_GREATER_EQUAL 2.14)
  message(WARNING "libtorch ${Torch_VERSION} was found; mixtune is tested with 2.11 to 2.13.")
endif()

# Our own parallel loops (at::parallel_for) must run in the OpenMP runtime that libtorch itself carries: two
# of them would each keep their threads, and without -fopenmp the loops are serial without a word.
list(GET TORCH_INCLUDE_DIRS 0 torch_include)
get_filename_component(torch_root "${torch_include}" DIRECTORY)
file(GLOB torch_openmp "${torch_root}/lib/libiomp5.so*" "${torch_root}/lib/libgomp*.so*"
                       "${torch_root}/../torch.libs/libgomp*.so*")
if(torch_openmp)
  list(GET torch_openmp 0 torch_openmp)
else()
  set(torch_openmp gomp)
endif()
list(APPEND TORCH_LIBRARIES "${torch_openmp}")

# Batches of packed tokens ask for blocks of ever new sizes: this allocator halved the peak memory of a
# training step that the C library's leaves in fragments. Sanitizers bring their own.
find_library(TCMALLOC_LIBRARY NAMES tcmalloc_minimal libtcmalloc_minimal.so.4)
