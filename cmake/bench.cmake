# Programs that measure. They are built on request only: ninja bench_tokenizer.
add_executable(bench_tokenizer EXCLUDE_FROM_ALL bench/tokenizers/bench_tokenizer.cpp)
target_link_libraries(bench_tokenizer PRIVATE molt_text)
