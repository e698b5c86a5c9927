// Compiles a hot loop three times (AVX-512, AVX2 with FMA, baseline); the best one is selected when
// the program starts. The targets are levels, since arch=haswell would be selected on Haswell only.
// Sanitizer builds use only the baseline, since resolvers run before the sanitizer is ready.
#pragma once

#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__)
#define MIXTUNE_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define MIXTUNE_CLONES
#endif
