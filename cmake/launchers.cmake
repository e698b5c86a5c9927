# ccache (with the settings a precompiled header needs) and mold, each where it is installed.
find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
  set(CMAKE_CXX_COMPILER_LAUNCHER
      ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
      ${CCACHE_PROGRAM})
endif()
find_program(MOLD_PROGRAM mold)
if(MOLD_PROGRAM)
  add_link_options(-fuse-ld=mold)
  # mold 1.10 may begin the part that is read-only after relocation on a page that nothing is on, where a program's
  # code ends within a few bytes of a page; such a program does not start.
  add_link_options(-Wl,-z,norelro)
endif()

# The C++ library before libtorch, whose own copy of std::filesystem would otherwise stand in for the one that
# our code was compiled for: with g++ 13 that ended in a crash when a folder was removed.
add_link_options(-Wl,--push-state,--no-as-needed -lstdc++ -Wl,--pop-state)

# -fPIC everywhere, so that programs can use the precompiled header of the libraries.
function(mixtune_cxx_options)
  foreach(option ${ARGV})
    add_compile_options($<$<COMPILE_LANGUAGE:CXX>:${option}>)
  endforeach()
endfunction()
mixtune_cxx_options(-fPIC -Wall -Wextra -Wno-unused-parameter -fno-math-errno -fno-trapping-math -fopenmp)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # Warnings that g++ derives from inlined code: those of g++ 12 about libstdc++'s strings, vectors and optionals are
  # false (an overflow where two strings are appended, an optional that was just checked).
  mixtune_cxx_options(-Wno-stringop-overflow -Wno-maybe-uninitialized -Wno-array-bounds -Wno-restrict)
  if(CCACHE_PROGRAM)
    mixtune_cxx_options(-fpch-preprocess)
  endif()
endif()
if(MIXTUNE_WERROR)
  mixtune_cxx_options(-Werror)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    mixtune_cxx_options(-Wno-error=dangling-pointer)
  endif()
endif()
if(MIXTUNE_SANITIZE)
  # vptr needs the type information of libtorch, which the prebuilt library hides.
  mixtune_cxx_options(-fsanitize=address,undefined -fno-sanitize=vptr -fno-omit-frame-pointer
                   -fno-sanitize-recover=undefined)
  add_link_options(-fsanitize=address,undefined)
endif()
