// What the library files share with aead.c. Not for importers.
#pragma once
#include <endian.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

#include "CAEAD.h"

enum { CAEAD_SUITES = 2, CAEAD_PROVIDERS = 3, CAEAD_TAG = 16, CAEAD_NONCE = 12 };

// How a key is worked with: one number for suite and provider, both counted from 1. 0 is a wiped key.
enum { CAEAD_SCHEMES = CAEAD_SUITES * CAEAD_PROVIDERS + 1 };
static inline uint32_t caead_scheme(int suite, int provider) {
    return (uint32_t)((provider - 1) * CAEAD_SUITES + suite);
}

// A key as it lies in the caller's CAEAD_KEY_SIZE bytes:
//
//   offset  size
//        0    32  raw key, where the library takes raw keys
//       32     8  serial number, never used twice by a process: tells keys apart where key memory is reused
//       40     4  scheme
//       64  1024  expanded key: gcm_key_data (1008) or crypto_aead_aes256gcm_state (512)
typedef struct caead_key {
    uint8_t raw[32];
    uint64_t serial;
    uint32_t scheme;
    _Alignas(64) uint8_t expanded[1024];
} caead_key;

_Static_assert(sizeof(caead_key) <= CAEAD_KEY_SIZE, "a key fits its memory");

// Calls of caead_key_wipe, so that copies which a library keeps can be dropped.
extern _Atomic uint64_t caead_wiped;

struct caead_context {
    void *state[CAEAD_PROVIDERS];      // of each library
    uint32_t suites[CAEAD_PROVIDERS];  // bit 0: ChaCha20-Poly1305, bit 1: AES-256-GCM
};

typedef void (*caead_operation)(caead_context *context, caead_job *jobs, size_t count);

// One library. All jobs of one operation call are of its suite.
typedef struct caead_library {
    int (*create)(caead_context *context);  // sets its state and suites; -1 with no memory
    void (*destroy)(caead_context *context);
    void (*expand)(caead_context *context, caead_key *key, int suite, const uint8_t raw[32]);
    caead_operation seal[CAEAD_SUITES];
    caead_operation open[CAEAD_SUITES];
} caead_library;

#if defined(__x86_64__)
extern const caead_library caead_ipsec_mb;
#endif
extern const caead_library caead_libcrypto;
extern const caead_library caead_libsodium;

// 16 bytes of which the first 12 are the nonce. One vector store: libraries load nonces in one piece, and a load
// that spans two stores still in flight stalls.
typedef uint64_t caead_nonce __attribute__((vector_size(16)));
static inline caead_nonce caead_make_nonce(const caead_job *job) {
    return (caead_nonce){htole64(job->counter << 32 | job->nonce_head), htole64(job->counter >> 32)};
}

// The outcome of a seal that a library refused: nothing of the plaintext stays.
static inline void caead_fail_seal(caead_job *job) {
    memset(job->data, 0, job->length);
    memset(job->tag, 0, CAEAD_TAG);
    job->ok = 0;
}
