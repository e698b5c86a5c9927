# Two programs. `mixtune-program` is everything; `mixtune`, the one that people start, is small and without
# libtorch: src/launcher/launcher.cpp says why. In a build folder they lie side by side, in an installed tree in
# bin/ and libexec/mixtune/, so that a tree can be moved. mixtune-program finds its libtorch by rpath; an installed
# one does too (by name: CMake leaves out what lies below the source folder, as .venv does).
set_source_files_properties(${CMAKE_SOURCE_DIR}/src/cli/program.cpp PROPERTIES
                            COMPILE_DEFINITIONS MIXTUNE_VERSION="${PROJECT_VERSION}")
set_source_files_properties(${CMAKE_SOURCE_DIR}/src/cli/recipes.cpp PROPERTIES
                            COMPILE_DEFINITIONS MIXTUNE_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
add_executable(mixtune-program src/cli/main.cpp)
target_link_libraries(mixtune-program PRIVATE mixtune_cli)
if(TCMALLOC_LIBRARY AND NOT MIXTUNE_SANITIZE)
  target_link_libraries(mixtune-program PRIVATE ${TCMALLOC_LIBRARY})
endif()
set_target_properties(mixtune-program PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}
                                                 INSTALL_RPATH "${MIXTUNE_LIBTORCH_PATHS}")

set(overview ${CMAKE_BINARY_DIR}/generated/launcher/overview.h)
add_custom_command(OUTPUT ${overview} DEPENDS mixtune-program ${CMAKE_SOURCE_DIR}/cmake/overview.cmake
                   COMMAND ${CMAKE_COMMAND} -DPROGRAM=$<TARGET_FILE:mixtune-program> -DHEADER=${overview}
                           -P ${CMAKE_SOURCE_DIR}/cmake/overview.cmake
                   COMMENT "The overview of commands" VERBATIM)
add_executable(mixtune src/launcher/launcher.cpp ${overview})
target_include_directories(mixtune PRIVATE ${CMAKE_SOURCE_DIR}/src ${CMAKE_BINARY_DIR}/generated)
target_compile_definitions(mixtune PRIVATE MIXTUNE_VERSION="${PROJECT_VERSION}")
set_target_properties(mixtune PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR} BUILD_RPATH "")

install(TARGETS mixtune RUNTIME DESTINATION bin)
install(TARGETS mixtune-program RUNTIME DESTINATION libexec/mixtune)
install(DIRECTORY recipes models DESTINATION share/mixtune)
install(FILES LICENSE NOTICE README.md DESTINATION share/mixtune)
# What was installed, for `make uninstall`: paths from the tree's root, since it may be moved.
install(CODE [[
  set(installed share/mixtune/installed_files.txt)
  foreach(file ${CMAKE_INSTALL_MANIFEST_FILES})
    file(RELATIVE_PATH file "${CMAKE_INSTALL_PREFIX}" "${file}")
    list(APPEND installed "${file}")
  endforeach()
  list(JOIN installed "\n" installed)
  file(WRITE "$ENV{DESTDIR}${CMAKE_INSTALL_PREFIX}/share/mixtune/installed_files.txt" "${installed}\n")
]])
