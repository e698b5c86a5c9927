# Everything outside: Debian's libraries and libtorch.
find_package(yaml-cpp REQUIRED)
find_package(fmt REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(CLI11 REQUIRED)
find_library(ONIG_LIBRARY onig REQUIRED)
find_library(UTF8PROC_LIBRARY utf8proc REQUIRED)
find_library(SENTENCEPIECE_LIBRARY sentencepiece REQUIRED)

include(cmake/libtorch.cmake)

# Batches of packed tokens ask for blocks of ever new sizes: this allocator halved the peak memory of a
# training step that the C library's leaves in fragments. Sanitizers bring their own.
find_library(TCMALLOC_LIBRARY NAMES tcmalloc_minimal libtcmalloc_minimal.so.4)
