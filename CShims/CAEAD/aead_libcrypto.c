// libcrypto of OpenSSL 3. A cipher object is tied to one suite and direction and holds one key. Giving it another key
// allocates nothing but takes a while (AES-256-GCM: as long as sealing 64 bytes), so a context keeps several of each.
#include "aead_private.h"

#include <limits.h>
#include <openssl/evp.h>
#include <stdlib.h>

static const uint64_t UNSURE = UINT64_MAX;

enum { SEAL = 0, OPEN = 1, DIRECTIONS = 2, SLOT_BITS = 4, SLOTS = 1 << SLOT_BITS };

typedef struct slot {
    EVP_CIPHER_CTX *cipher;
    uint64_t serial;  // of the key the cipher holds; 0: the zero key, UNSURE after a failure
} slot;

typedef struct libcrypto {
    uint64_t wiped;  // keys that the process had wiped when the slots were last cleared
    slot slots[CAEAD_SUITES][DIRECTIONS][SLOTS];
} libcrypto;

static const uint8_t zero[32];

static libcrypto *state_of(caead_context *context) {
    return context->state[CAEAD_PROVIDER_LIBCRYPTO - 1];
}

// 1, 0 when this build of the library does not have the algorithm, or -1 with no memory. The ciphers are keyed at once
// so that all their memory is there before the first packet.
static int make_slots(slot *slots, const char *name, int direction) {
    EVP_CIPHER *algorithm = EVP_CIPHER_fetch(NULL, name, NULL);
    if (!algorithm) return 0;
    int result = 1;
    for (int i = 0; i < SLOTS && result == 1; i++) {
        slots[i].cipher = EVP_CIPHER_CTX_new();
        if (!slots[i].cipher) result = -1;
        else result = EVP_CipherInit_ex(slots[i].cipher, algorithm, NULL, zero, zero, direction == SEAL) == 1;
    }
    EVP_CIPHER_free(algorithm);
    return result;
}

static int create(caead_context *context) {
    static const char *const names[CAEAD_SUITES] = {"ChaCha20-Poly1305", "AES-256-GCM"};
    context->suites[CAEAD_PROVIDER_LIBCRYPTO - 1] = 0;
    libcrypto *state = calloc(1, sizeof *state);
    if (!state) return -1;
    context->state[CAEAD_PROVIDER_LIBCRYPTO - 1] = state;
    for (int suite = 0; suite < CAEAD_SUITES; suite++) {
        int seal = make_slots(state->slots[suite][SEAL], names[suite], SEAL);
        int open = make_slots(state->slots[suite][OPEN], names[suite], OPEN);
        if (seal < 0 || open < 0) return -1;
        if (seal && open) context->suites[CAEAD_PROVIDER_LIBCRYPTO - 1] |= 1u << suite;
    }
    return 0;
}

static void destroy(caead_context *context) {
    libcrypto *state = state_of(context);
    if (!state) return;
    slot *slots = &state->slots[0][0][0];
    // The library wipes what it frees.
    for (int i = 0; i < CAEAD_SUITES * DIRECTIONS * SLOTS; i++) EVP_CIPHER_CTX_free(slots[i].cipher);
    free(state);
}

// Takes the keys out of all slots once keys of the process were wiped: the wiped ones may be among them.
static void clear_slots(libcrypto *state, uint64_t wiped) {
    slot *slots = &state->slots[0][0][0];
    for (int i = 0; i < CAEAD_SUITES * DIRECTIONS * SLOTS; i++) {
        if (slots[i].serial == 0) continue;
        slots[i].serial = 0;
        EVP_CipherInit_ex(slots[i].cipher, NULL, NULL, zero, NULL, -1);
    }
    state->wiped = wiped;
}

static void expand(caead_context *context, caead_key *key, int suite, const uint8_t raw[32]) {
    (void)context;
    (void)suite;
    memcpy(key->raw, raw, sizeof key->raw);
}

// A cipher with the key and the nonce of this packet; NULL when the library refuses.
static inline EVP_CIPHER_CTX *start(slot slots[SLOTS], const caead_job *job) {
    const caead_key *key = job->key;
    caead_nonce nonce = caead_make_nonce(job);
    // Fibonacci hashing: serials that follow each other at equal steps fall into different slots.
    slot *own = &slots[key->serial * 0x9e3779b97f4a7c15 >> (64 - SLOT_BITS)];
    const uint8_t *raw = own->serial == key->serial ? NULL : key->raw;
    if (job->length > INT_MAX) return NULL;
    own->serial = UNSURE;
    if (EVP_CipherInit_ex(own->cipher, NULL, NULL, raw, (const uint8_t *)&nonce, -1) != 1) return NULL;
    own->serial = key->serial;
    return own->cipher;
}

static inline int seal_one(EVP_CIPHER_CTX *cipher, caead_job *job) {
    int written = 0;
    uint8_t none[CAEAD_TAG];
    if (job->ad_length > 0 && EVP_EncryptUpdate(cipher, NULL, &written, job->ad, (int)job->ad_length) != 1) return 0;
    if (job->length > 0 && EVP_EncryptUpdate(cipher, job->data, &written, job->data, (int)job->length) != 1) return 0;
    if (EVP_EncryptFinal_ex(cipher, none, &written) != 1) return 0;
    return EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_GET_TAG, CAEAD_TAG, job->tag) == 1;
}

static inline int open_one(EVP_CIPHER_CTX *cipher, caead_job *job) {
    int written = 0;
    uint8_t none[CAEAD_TAG];
    if (EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_SET_TAG, CAEAD_TAG, job->tag) != 1) return 0;
    if (job->ad_length > 0 && EVP_DecryptUpdate(cipher, NULL, &written, job->ad, (int)job->ad_length) != 1) return 0;
    if (job->length > 0 && EVP_DecryptUpdate(cipher, job->data, &written, job->data, (int)job->length) != 1) return 0;
    return EVP_DecryptFinal_ex(cipher, none, &written) == 1;
}

static slot *slots_for(caead_context *context, int suite, int direction) {
    libcrypto *state = state_of(context);
    uint64_t wiped = atomic_load_explicit(&caead_wiped, memory_order_relaxed);
    if (wiped != state->wiped) clear_slots(state, wiped);
    return state->slots[suite - 1][direction];
}

static void seal_all(caead_context *context, int suite, caead_job *jobs, size_t count) {
    slot *slots = slots_for(context, suite, SEAL);
    for (size_t i = 0; i < count; i++) {
        EVP_CIPHER_CTX *cipher = start(slots, &jobs[i]);
        jobs[i].ok = 1;
        if (!cipher || !seal_one(cipher, &jobs[i])) caead_fail_seal(&jobs[i]);
    }
}

static void open_all(caead_context *context, int suite, caead_job *jobs, size_t count) {
    slot *slots = slots_for(context, suite, OPEN);
    for (size_t i = 0; i < count; i++) {
        EVP_CIPHER_CTX *cipher = start(slots, &jobs[i]);
        jobs[i].ok = cipher && open_one(cipher, &jobs[i]);
    }
}

static void chacha_seal(caead_context *context, caead_job *jobs, size_t count) {
    seal_all(context, CAEAD_SUITE_CHACHA20_POLY1305, jobs, count);
}

static void chacha_open(caead_context *context, caead_job *jobs, size_t count) {
    open_all(context, CAEAD_SUITE_CHACHA20_POLY1305, jobs, count);
}

static void gcm_seal(caead_context *context, caead_job *jobs, size_t count) {
    seal_all(context, CAEAD_SUITE_AES_256_GCM, jobs, count);
}

static void gcm_open(caead_context *context, caead_job *jobs, size_t count) {
    open_all(context, CAEAD_SUITE_AES_256_GCM, jobs, count);
}

const caead_library caead_libcrypto = {
    .create = create,
    .destroy = destroy,
    .expand = expand,
    .seal = {chacha_seal, gcm_seal},
    .open = {chacha_open, gcm_open},
};
