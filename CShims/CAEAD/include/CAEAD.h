// In-place authenticated encryption of packet vectors over libipsec-mb, libcrypto and libsodium: equal bytes from all.
#pragma once
#include <stddef.h>
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif

#define CAEAD_KEY_SIZE 1152

typedef struct caead_job {
    const void *key;
    uint8_t *data;
    uint8_t *tag;
    const uint8_t *ad;
    uint32_t length;
    uint32_t ad_length;
    uint64_t counter;
    uint32_t ok;
    uint32_t reserved;
    uint8_t ad_inline[48];
} caead_job;

typedef struct caead_context caead_context;
void caead_key_init(caead_context *, void *key, int suite, const uint8_t raw[32]);
void caead_key_wipe(void *key);
void caead_seal(caead_context *, caead_job *jobs, size_t count);
void caead_open(caead_context *, caead_job *jobs, size_t count);
#ifdef __cplusplus
}
#endif
