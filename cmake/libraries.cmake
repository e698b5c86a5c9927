# mixtune_library(<folder> [TORCH] [USES ...] [LIBRARIES ...] [REGISTER <kind>] [PARTS <subfolder> <kind> ...])
# One static library per folder of src/. TORCH libraries share one precompiled header, tensor/tensor.h.
# REGISTER writes a table that calls register_<file name>() for every .cpp whose name is that of a thing to
# register: static registration through a static library would register nothing.
function(mixtune_library folder)
  cmake_parse_arguments(ARG "TORCH" "REGISTER" "USES;LIBRARIES;PARTS" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/${folder}/*.cpp)
  if(folder STREQUAL "cli")
    list(FILTER sources EXCLUDE REGEX "/main\\.cpp$")
  endif()
  if(ARG_REGISTER)
    mixtune_table(${folder} ${ARG_REGISTER} table)
    list(APPEND sources ${table})
  endif()
  set(parts ${ARG_PARTS})
  while(parts)
    list(POP_FRONT parts subfolder kind)
    mixtune_table(${folder}/${subfolder} ${kind} table)
    list(APPEND sources ${table})
  endwhile()
  set(target mixtune_${folder})
  if(NOT sources)
    add_library(${target} INTERFACE)
    set(scope INTERFACE)
  else()
    add_library(${target} STATIC ${sources})
    set(scope PUBLIC)
  endif()
  target_include_directories(${target} ${scope} ${CMAKE_SOURCE_DIR}/src ${CMAKE_BINARY_DIR}/generated)
  foreach(used ${ARG_USES})
    target_link_libraries(${target} ${scope} mixtune_${used})
  endforeach()
  target_link_libraries(${target} ${scope} ${ARG_LIBRARIES})
  if(ARG_TORCH)
    target_link_libraries(${target} ${scope} ${TORCH_LIBRARIES})
    if(sources)
      mixtune_precompile(${target})
    endif()
  endif()
endfunction()

# The first torch target builds the precompiled header, the others reuse it.
function(mixtune_precompile target)
  get_property(first GLOBAL PROPERTY MIXTUNE_PCH_TARGET)
  if(first)
    target_precompile_headers(${target} REUSE_FROM ${first})
  else()
    target_precompile_headers(${target} PRIVATE ${CMAKE_SOURCE_DIR}/src/tensor/tensor.h)
    set_property(GLOBAL PROPERTY MIXTUNE_PCH_TARGET ${target})
  endif()
endfunction()

# Defines `const Registry<KindEntry>& <kind>s()`: the table of every src/<folder>/<name>.cpp that contains
# "void register_<name>(", in the order of names.
function(mixtune_table folder kind out)
  file(GLOB files CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/${folder}/*.cpp)
  set(declarations "")
  set(calls "")
  foreach(file ${files})
    get_filename_component(name ${file} NAME_WE)
    file(STRINGS ${file} found REGEX "^void register_${name}\\(")
    if(found)
      string(APPEND declarations "void register_${name}(Registry<${kind}_entry>&);\n")
      string(APPEND calls "    register_${name}(registry);\n")
    endif()
  endforeach()
  set(entry "Entry")
  string(REPLACE "_" ";" words ${kind})
  list(REVERSE words)
  foreach(word ${words})
    string(SUBSTRING ${word} 0 1 initial)
    string(TOUPPER ${initial} initial)
    string(SUBSTRING ${word} 1 -1 rest)
    string(PREPEND entry "${initial}${rest}")
  endforeach()
  string(REPLACE "${kind}_entry" "${entry}" declarations "${declarations}")
  string(REGEX REPLACE "sss$" "sses" plural "${kind}s")
  set(path ${CMAKE_BINARY_DIR}/generated/${folder}/table.cpp)
  file(CONFIGURE OUTPUT ${path} CONTENT
"// Generated from the file names of src/${folder}.
#include \"${folder}/${kind}.h\"

namespace mixtune {
${declarations}
const Registry<${entry}>& ${plural}() {
  static const Registry<${entry}> registry = [] {
    Registry<${entry}> registry;
${calls}    return registry;
  }();
  return registry;
}
}  // namespace mixtune
")
  set(${out} ${path} PARENT_SCOPE)
endfunction()
