# The program: build/mixtune. It finds its libtorch by rpath; an installed tree does too (by name: CMake leaves
# out what lies below the source folder, as .venv does).
set_source_files_properties(${CMAKE_SOURCE_DIR}/src/cli/program.cpp PROPERTIES
                            COMPILE_DEFINITIONS MIXTUNE_VERSION="${PROJECT_VERSION}")
set_source_files_properties(${CMAKE_SOURCE_DIR}/src/cli/recipes.cpp PROPERTIES
                            COMPILE_DEFINITIONS MIXTUNE_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
add_executable(mixtune src/cli/main.cpp)
target_link_libraries(mixtune PRIVATE mixtune_cli)
if(TCMALLOC_LIBRARY AND NOT MIXTUNE_SANITIZE)
  target_link_libraries(mixtune PRIVATE ${TCMALLOC_LIBRARY})
endif()
set_target_properties(mixtune PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}
                                      INSTALL_RPATH "${torch_root}/lib")
install(TARGETS mixtune RUNTIME DESTINATION bin)
install(DIRECTORY recipes models DESTINATION share/mixtune)
install(FILES LICENSE NOTICE README.md DESTINATION share/mixtune)
