# Programs that measure. They are built on request only: ninja bench_tokenizer.
add_executable(bench_tokenizer EXCLUDE_FROM_ALL bench/tokenizers/bench_tokenizer.cpp)
target_link_libraries(bench_tokenizer PRIVATE mixtune_text)
add_executable(bench_mixlora EXCLUDE_FROM_ALL bench/mixlora/bench_mixlora.cpp)
target_link_libraries(bench_mixlora PRIVATE mixtune_train mixtune_methods mixtune_models)
mixtune_precompile(bench_mixlora)
add_executable(bench_experts EXCLUDE_FROM_ALL bench/experts/bench_experts.cpp)
target_link_libraries(bench_experts PRIVATE mixtune_methods mixtune_models mixtune_train)
mixtune_precompile(bench_experts)
