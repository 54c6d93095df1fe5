// Counts heap allocations of the calling thread, for tests that prove a path allocates nothing.
#pragma once
#include <stdint.h>
// Allocations (malloc, calloc, realloc, aligned variants) of this thread since it started.
uint64_t chy_alloc_hook_count(void);
// 1 when the counting functions are the ones in use (0 under sanitizers).
int chy_alloc_hook_active(void);
