# libtorch from its own folder, the one that holds include/ and lib/: that of a `torch` package or of an unpacked
# libtorch. find_package(Torch) is not used: for a CUDA build it ends without a CUDA toolkit, which a program that
# only links to libtorch does not need. Sets TORCH_LIBRARIES, TORCH_CUDA (whether it is a CUDA build) and
# MIXTUNE_LIBTORCH_PATHS (where its libraries are when a program starts).
#
# Named by, first match: Torch_DIR or CMAKE_PREFIX_PATH (each as a CMake or an environment variable), the Python of
# MIXTUNE_PYTHON, the last libtorch that was found, .venv, python3.
set(MIXTUNE_PYTHON "" CACHE STRING "Python whose torch package provides libtorch")

# The libtorch folder that `place` names, or nothing: the folder itself, or its share/cmake or share/cmake/Torch,
# as torch.utils.cmake_prefix_path and Torch_DIR have it.
function(mixtune_libtorch_at place out)
  set(${out} "" PARENT_SCOPE)
  foreach(up "" /.. /../.. /../../..)
    get_filename_component(folder "${place}${up}" ABSOLUTE)
    if(EXISTS "${folder}/include/ATen/ATen.h" AND EXISTS "${folder}/lib/libtorch_cpu.so")
      set(${out} "${folder}" PARENT_SCOPE)
      return()
    endif()
  endforeach()
endfunction()

# The same for the torch package of a Python. The package is found, not imported, which takes a second.
function(mixtune_libtorch_of python out)
  set(${out} "" PARENT_SCOPE)
  execute_process(COMMAND "${python}" -c "import importlib.util as u; print(u.find_spec('torch').submodule_search_locations[0])"
                  OUTPUT_VARIABLE place OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE failed)
  if(NOT failed)
    mixtune_libtorch_at("${place}" found)
    set(${out} "${found}" PARENT_SCOPE)
  endif()
endfunction()

function(mixtune_find_libtorch out)
  set(found "")
  # An environment variable separates folders by colons.
  string(REPLACE ":" ";" prefixes "$ENV{CMAKE_PREFIX_PATH}")
  foreach(place "${Torch_DIR}" "$ENV{Torch_DIR}" ${CMAKE_PREFIX_PATH} ${prefixes})
    if(place)
      mixtune_libtorch_at("${place}" found)
      if(found)
        set(${out} "${found}" PARENT_SCOPE)
        return()
      endif()
    endif()
  endforeach()
  foreach(named "${Torch_DIR}" "$ENV{Torch_DIR}")
    if(named)
      message(FATAL_ERROR "Torch_DIR is ${named}, where no libtorch is; expected a folder with include/ATen/ATen.h "
                          "and lib/libtorch_cpu.so, or its share/cmake/Torch.")
    endif()
  endforeach()
  if(MIXTUNE_PYTHON)
    mixtune_libtorch_of("${MIXTUNE_PYTHON}" found)
    if(NOT found)
      message(FATAL_ERROR "MIXTUNE_PYTHON is ${MIXTUNE_PYTHON}, which has no torch package. Install torch 2.11 to 2.13 "
                          "there, or leave MIXTUNE_PYTHON out.")
    endif()
  endif()
  if(NOT found AND MIXTUNE_LIBTORCH)
    mixtune_libtorch_at("${MIXTUNE_LIBTORCH}" found)
  endif()
  foreach(python "${CMAKE_SOURCE_DIR}/.venv/bin/python" python3)
    if(NOT found)
      mixtune_libtorch_of("${python}" found)
    endif()
  endforeach()
  set(${out} "${found}" PARENT_SCOPE)
endfunction()

mixtune_find_libtorch(torch_root)
if(NOT torch_root)
  message(FATAL_ERROR "libtorch was not found. Run 'make build' (it installs torch 2.13.0 into .venv), "
                      "or pass -DTorch_DIR=... or -DMIXTUNE_PYTHON=/path/to/python with torch 2.11 to 2.13.")
endif()
# A variable of the environment is not there when the build calls CMake again.
set(MIXTUNE_LIBTORCH "${torch_root}" CACHE INTERNAL "The libtorch that was found last")

set(header "${torch_root}/include/torch/headeronly/version.h")
if(NOT EXISTS "${header}")
  set(header "${torch_root}/include/torch/csrc/api/include/torch/version.h")
endif()
file(STRINGS "${header}" lines REGEX "define TORCH_VERSION_(MAJOR|MINOR|PATCH) ")
string(REGEX MATCHALL "[0-9]+" numbers "${lines}")
list(JOIN numbers "." TORCH_VERSION)
if(NOT TORCH_VERSION OR TORCH_VERSION VERSION_LESS 2.11 OR TORCH_VERSION VERSION_GREATER_EQUAL 2.14)
  message(WARNING "libtorch '${TORCH_VERSION}' was found in ${torch_root}; mixtune is tested with 2.11 to 2.13.")
endif()

# A CUDA build registers its devices when its libraries are loaded, which nothing of ours calls by name: the linker
# keeps them all the same.
set(TORCH_CUDA OFF)
set(torch_kept "")
foreach(name torch_cuda c10_cuda)
  if(EXISTS "${torch_root}/lib/lib${name}.so")
    set(TORCH_CUDA ON)
    string(APPEND torch_kept ",\"${torch_root}/lib/lib${name}.so\"")
  endif()
endforeach()

# Our own parallel loops (at::parallel_for) must run in the OpenMP runtime that libtorch itself carries: two
# of them would each keep their threads, and without -fopenmp the loops are serial without a word.
file(GLOB torch_openmp "${torch_root}/lib/libiomp5.so*" "${torch_root}/lib/libgomp*.so*"
                       "${torch_root}/../torch.libs/libgomp*.so*")
if(torch_openmp)
  list(GET torch_openmp 0 torch_openmp)
else()
  set(torch_openmp gomp)
endif()

# The CUDA libraries are packages beside torch: nvidia/<name>/lib, or nvidia/cu13/lib since CUDA 13. libtorch_cuda
# finds them on its own; the linker, which follows it, and programs are told too.
set(MIXTUNE_LIBTORCH_PATHS "${torch_root}/lib")
if(TORCH_CUDA)
  file(GLOB nvidia LIST_DIRECTORIES true "${torch_root}/../nvidia/*/lib")
  foreach(folder ${nvidia})
    get_filename_component(folder "${folder}" ABSOLUTE)
    list(APPEND MIXTUNE_LIBTORCH_PATHS "${folder}")
  endforeach()
endif()
list(APPEND CMAKE_BUILD_RPATH ${MIXTUNE_LIBTORCH_PATHS})

add_library(libtorch INTERFACE)
target_include_directories(libtorch SYSTEM INTERFACE "${torch_root}/include"
                                                     "${torch_root}/include/torch/csrc/api/include")
target_link_libraries(libtorch INTERFACE "${torch_root}/lib/libtorch_cpu.so" "${torch_root}/lib/libc10.so")
if(TORCH_CUDA)
  target_link_libraries(libtorch INTERFACE "-Wl,--push-state,--no-as-needed${torch_kept},--pop-state")
  foreach(folder ${MIXTUNE_LIBTORCH_PATHS})
    target_link_options(libtorch INTERFACE "-Wl,-rpath-link,${folder}")
  endforeach()
endif()
target_link_libraries(libtorch INTERFACE "${torch_openmp}")
# Builds for the C++ library of before g++ 5 name themselves; those of 2.11 to 2.13 have the current one.
file(GLOB config "${torch_root}/share/cmake/Torch/TorchConfig.cmake")
if(config)
  file(STRINGS ${config} old_abi REGEX "_GLIBCXX_USE_CXX11_ABI=0")
  if(old_abi)
    target_compile_definitions(libtorch INTERFACE _GLIBCXX_USE_CXX11_ABI=0)
  endif()
endif()
set(TORCH_LIBRARIES libtorch)

string(REPLACE "ON" "CUDA" kind "${TORCH_CUDA}")
string(REPLACE "OFF" "CPU" kind "${kind}")
message(STATUS "libtorch ${TORCH_VERSION}, ${kind} build: ${torch_root}")
