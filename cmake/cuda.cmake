# Kernels of our own for CUDA devices, where libtorch is a CUDA build and nvcc is here: nothing else needs a CUDA
# toolkit. Without them the same numbers are made on the host and copied.
option(MIXTUNE_CUDA_KERNELS "Build the kernels for CUDA devices where that is possible" ON)
set(MIXTUNE_CUDA_FOUND OFF)
if(MIXTUNE_CUDA_KERNELS AND TORCH_CUDA)
  include(CheckLanguage)
  check_language(CUDA)
  if(CMAKE_CUDA_COMPILER)
    # nvcc would otherwise make code for the oldest devices alone, which newer ones compile again at every start.
    if(NOT CMAKE_CUDA_ARCHITECTURES)
      set(CMAKE_CUDA_ARCHITECTURES all-major)
    endif()
    enable_language(CUDA)
    file(GLOB_RECURSE cuda_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/*.cu)
    add_library(mixtune_cuda STATIC ${cuda_sources})
    target_include_directories(mixtune_cuda PRIVATE ${CMAKE_SOURCE_DIR}/src)
    set_target_properties(mixtune_cuda PROPERTIES CUDA_STANDARD 17 POSITION_INDEPENDENT_CODE ON)
    set(MIXTUNE_CUDA_FOUND ON)
  endif()
endif()

# Links the kernels to a target whose `sources` launch them. The definition stays with these files: all
# others share a precompiled header that does not know it.
function(mixtune_use_cuda target)
  if(MIXTUNE_CUDA_FOUND)
    target_link_libraries(${target} PUBLIC mixtune_cuda)
    set_source_files_properties(${ARGN} PROPERTIES COMPILE_DEFINITIONS MIXTUNE_CUDA_KERNELS)
  endif()
endfunction()
