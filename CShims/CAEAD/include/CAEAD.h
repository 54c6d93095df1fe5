// Packet protection: seals and opens vectors of packets in place with ChaCha20-Poly1305 (RFC 8439) or AES-256-GCM
// (NIST SP 800-38D). Three libraries stand behind it and give equal bytes: libipsec-mb (x86-64 only), libcrypto
// and libsodium. The library is chosen once per suite; every key remembers the one it was expanded for.
#pragma once
#include <stddef.h>
#include <stdint.h>

// Bytes of one expanded key. Key memory is the caller's and must be 64-byte aligned.
#define CAEAD_KEY_SIZE 1152

// Suites, numbered as on the wire (docs/protocol.md, "Data suites").
enum { CAEAD_SUITE_CHACHA20_POLY1305 = 1, CAEAD_SUITE_AES_256_GCM = 2 };

// AUTO is a request of caead_select, never the provider in use.
enum {
    CAEAD_PROVIDER_AUTO = 0,
    CAEAD_PROVIDER_IPSEC_MB = 1,
    CAEAD_PROVIDER_LIBCRYPTO = 2,
    CAEAD_PROVIDER_LIBSODIUM = 3,
};

// One packet, worked on in place.
typedef struct caead_job {
    const void *key;       // CAEAD_KEY_SIZE bytes made by caead_key_init
    uint8_t *data;         // seal: plaintext in, ciphertext out; open: the reverse
    uint8_t *tag;          // 16 bytes: written by seal, compared in constant time by open; may follow data directly
    const uint8_t *ad;     // associated data; may point at ad_inline of this job; unused when ad_length is 0
    uint32_t length;       // bytes of data without the tag, below 2^31; may be 0
    uint32_t ad_length;    // bytes of associated data, at most 48
    uint64_t counter;      // last 8 bytes of the nonce, little-endian
    uint32_t ok;           // set by both: see caead_seal and caead_open
    uint32_t nonce_head;   // first 4 bytes of the nonce, little-endian; 0 where the nonce is a counter alone
    uint8_t ad_inline[48];
} caead_job;

// What one thread needs for sealing and opening: the libraries' working state. One thread uses it at a time. With
// libcrypto it holds copies of the last keys used, which go when it next seals or opens with libcrypto after a
// caead_key_wipe, or when it is destroyed.
typedef struct caead_context caead_context;

// Allocates; for set-up only (the first call of a process may take tens of milliseconds). NULL with no memory.
caead_context *caead_context_create(void);
// Wipes and frees. Keys stay valid: any other context of the process can use them.
void caead_context_destroy(caead_context *context);

// Expands 32 raw bytes for the suite, with the provider now in use for it. Does not allocate. A key of an unknown
// suite is all zero, like a wiped one: nothing can be sealed or opened with it. The caller wipes `raw`.
void caead_key_init(caead_context *context, void *key, int suite, const uint8_t raw[32]);
// Overwrites the whole key with zeros.
void caead_key_wipe(void *key);

// Seal or open jobs in the order given, each completed before the next begins (so a later job may cover an earlier
// one's output). Jobs may mix suites, keys and providers. No allocation, no lock, no system call.
//
// seal: ok = 1; should a library refuse (or the key be wiped), ok = 0 and data and tag are zeroed, so that no
// plaintext can leave by mistake.
void caead_seal(caead_context *context, caead_job *jobs, size_t count);
// open: ok = 1 when the packet is authentic; otherwise ok = 0 and data is unspecified (it must not be used).
void caead_open(caead_context *context, caead_job *jobs, size_t count);

// Chooses the provider for keys made from now on, process-wide; keys made before keep theirs. AUTO measures for a few
// milliseconds and takes the fastest. Returns 0, or -1 when the provider does not serve the suite here (the choice
// then stays). Without a call: the first available of ipsec-mb, libcrypto, libsodium. Any thread.
int caead_select(int suite, int provider);
// The provider in use for the suite; 0 (AUTO) for an unknown suite or one that no library serves.
int caead_provider(int suite);
// "ipsec-mb", "libcrypto" or "libsodium"; "auto" for AUTO, "unknown" for any other number.
const char *caead_provider_name(int provider);
// 1 when the provider serves the suite on this machine. ipsec-mb and libsodium serve AES-256-GCM only where
// caead_aes_is_constant_time().
int caead_available(int suite, int provider);
// 1 when the CPU has AES and carry-less multiply instructions, so that AES-256-GCM leaks nothing by timing.
int caead_aes_is_constant_time(void);
// Nanoseconds per seal of `length` bytes with 16 bytes of associated data: the quickest of a series that takes at
// most about a millisecond. 0 when not available or length is above 65536. Allocates; any thread.
double caead_measure(int suite, int provider, size_t length);
// Seals and opens known answers (RFC 8439 appendix A.5; AES-256-GCM test cases): 1 good, 0 bad or not available.
// Allocates nothing after the first context of the process; any thread.
int caead_self_test(int suite, int provider);
