# One test program per folder of tests/, mirroring src/: <folder>_tests.
find_package(GTest REQUIRED)
include(GoogleTest)
file(GLOB folders LIST_DIRECTORIES true RELATIVE ${CMAKE_SOURCE_DIR}/tests ${CMAKE_SOURCE_DIR}/tests/*)
set(torch_free base files text metrics tasks)
add_custom_target(tests)
foreach(folder ${folders})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/${folder}/*_test.cpp)
  if(NOT sources)
    continue()
  endif()
  add_executable(${folder}_tests EXCLUDE_FROM_ALL ${sources})
  target_include_directories(${folder}_tests PRIVATE ${CMAKE_SOURCE_DIR}/tests)
  target_compile_definitions(${folder}_tests PRIVATE MOLT_SOURCE_DIR="${CMAKE_SOURCE_DIR}"
                                                     MOLT_BINARY_DIR="${CMAKE_BINARY_DIR}")
  if(TARGET molt_${folder})
    target_link_libraries(${folder}_tests PRIVATE molt_${folder})
  elseif(NOT folder STREQUAL "conformance")
    target_link_libraries(${folder}_tests PRIVATE molt_cli)
  endif()
  # What models are made of is tested inside a model too.
  if(folder MATCHES "^(nn|moe|methods|adapters|conformance)$")
    target_link_libraries(${folder}_tests PRIVATE molt_methods molt_models)
  endif()
  if(folder STREQUAL "conformance")
    target_link_libraries(${folder}_tests PRIVATE molt_train)
  endif()
  target_link_libraries(${folder}_tests PRIVATE molt_files molt_base nlohmann_json::nlohmann_json
                        GTest::gtest GTest::gtest_main)
  if(NOT folder IN_LIST torch_free)
    target_link_libraries(${folder}_tests PRIVATE ${TORCH_LIBRARIES})
    molt_precompile(${folder}_tests)
  endif()
  add_dependencies(tests ${folder}_tests)
  gtest_discover_tests(${folder}_tests WORKING_DIRECTORY ${CMAKE_SOURCE_DIR} DISCOVERY_TIMEOUT 60
                       TEST_PREFIX "${folder}."
                       # ctest runs tests side by side: one thread each.
                       PROPERTIES TIMEOUT 900 ENVIRONMENT OMP_NUM_THREADS=1)
endforeach()
