// Hot loops compiled three times, the best one chosen when the program starts: AVX-512, AVX2,
// baseline. Sanitizer builds take the baseline alone, since resolvers run before the sanitizer is
// ready.
#pragma once

#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__)
#define MOLT_CLONES __attribute__((target_clones("arch=skylake-avx512", "arch=haswell", "default")))
#else
#define MOLT_CLONES
#endif
