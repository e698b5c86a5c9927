// Hot loops compiled three times, the best one chosen when the program starts: AVX-512, AVX2 with
// FMA, baseline. By level, not by processor: arch=haswell would be chosen on a Haswell alone.
// Sanitizer builds take the baseline alone, since resolvers run before the sanitizer is ready.
#pragma once

#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__)
#define MIXTUNE_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define MIXTUNE_CLONES
#endif
