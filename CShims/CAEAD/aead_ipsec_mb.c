// libipsec-mb: x86-64 code for SSE, AVX2 and AVX-512, picked by the library when a context is made.
#if defined(__x86_64__)
#include "aead_private.h"

#include <intel-ipsec-mb.h>
#include <stdlib.h>

// Nonces are made a group ahead, so that none is still in the store buffer when the library loads it.
enum { GROUP = 64 };

typedef struct ipsec_mb {
    IMB_MGR *manager;
    _Alignas(64) struct gcm_context_data gcm;
    caead_nonce nonces[GROUP];
} ipsec_mb;

_Static_assert(sizeof(struct gcm_key_data) <= sizeof(((caead_key *)0)->expanded), "a GCM key fits a key");

static ipsec_mb *state_of(caead_context *context) {
    return context->state[CAEAD_PROVIDER_IPSEC_MB - 1];
}

static int create(caead_context *context) {
    context->suites[CAEAD_PROVIDER_IPSEC_MB - 1] = 0;
    ipsec_mb *state = aligned_alloc(64, (sizeof *state + 63) / 64 * 64);
    if (!state) return -1;
    memset(state, 0, sizeof *state);
    context->state[CAEAD_PROVIDER_IPSEC_MB - 1] = state;
    state->manager = alloc_mb_mgr(0);
    if (!state->manager) return -1;
    IMB_ARCH architecture = IMB_ARCH_NONE;
    init_mb_mgr_auto(state->manager, &architecture);
    // The library tests itself while it starts and reports a failure as an error.
    if (architecture == IMB_ARCH_NONE || imb_get_errno(state->manager) != 0) return 0;
    context->suites[CAEAD_PROVIDER_IPSEC_MB - 1] = 1;
    // Without AES instructions the library would emulate them with tables.
    if (caead_aes_is_constant_time() && architecture != IMB_ARCH_NOAESNI)
        context->suites[CAEAD_PROVIDER_IPSEC_MB - 1] |= 2;
    return 0;
}

static void destroy(caead_context *context) {
    ipsec_mb *state = state_of(context);
    if (!state) return;
    if (state->manager) free_mb_mgr(state->manager);
    explicit_bzero(state, sizeof *state);
    free(state);
}

static void expand(caead_context *context, caead_key *key, int suite, const uint8_t raw[32]) {
    if (suite == CAEAD_SUITE_AES_256_GCM)
        IMB_AES256_GCM_PRE(state_of(context)->manager, raw, (struct gcm_key_data *)(void *)key->expanded);
    else
        memcpy(key->raw, raw, sizeof key->raw);
}

static size_t make_nonces(ipsec_mb *state, const caead_job *jobs, size_t count) {
    if (count > GROUP) count = GROUP;
    for (size_t i = 0; i < count; i++) state->nonces[i] = caead_make_nonce(&jobs[i]);
    return count;
}

static const struct gcm_key_data *gcm_key(const caead_job *job) {
    return (const struct gcm_key_data *)(const void *)((const caead_key *)job->key)->expanded;
}

// No branch and no early end, whatever the tags hold.
static inline uint32_t tags_equal(const uint8_t *a, const uint8_t *b) {
    uint64_t x[2], y[2];
    memcpy(x, a, CAEAD_TAG);
    memcpy(y, b, CAEAD_TAG);
    uint64_t difference = (x[0] ^ y[0]) | (x[1] ^ y[1]);
    __asm__("" : "+r"(difference));
    return difference == 0;
}

static void gcm_seal(caead_context *context, caead_job *jobs, size_t count) {
    ipsec_mb *state = state_of(context);
    while (count > 0) {
        size_t group = make_nonces(state, jobs, count);
        for (size_t i = 0; i < group; i++) {
            caead_job *job = &jobs[i];
            IMB_AES256_GCM_ENC(
                state->manager, gcm_key(job), &state->gcm, job->data, job->data, job->length,
                (const uint8_t *)&state->nonces[i], job->ad, job->ad_length, job->tag, CAEAD_TAG);
            job->ok = 1;
        }
        jobs += group;
        count -= group;
    }
}

static void gcm_open(caead_context *context, caead_job *jobs, size_t count) {
    ipsec_mb *state = state_of(context);
    uint8_t tag[CAEAD_TAG];
    while (count > 0) {
        size_t group = make_nonces(state, jobs, count);
        for (size_t i = 0; i < group; i++) {
            caead_job *job = &jobs[i];
            IMB_AES256_GCM_DEC(
                state->manager, gcm_key(job), &state->gcm, job->data, job->data, job->length,
                (const uint8_t *)&state->nonces[i], job->ad, job->ad_length, tag, CAEAD_TAG);
            job->ok = tags_equal(tag, job->tag);
        }
        jobs += group;
        count -= group;
    }
}

// One ChaCha20-Poly1305 packet through the job interface: its init, update, final calls cost half as much again, its
// bursts save nothing (the library works on one such job at a time). 1 when completed.
static inline int chacha(
    IMB_MGR *manager, const caead_job *packet, const caead_nonce *nonce, IMB_CIPHER_DIRECTION direction, uint8_t *tag
) {
    const caead_key *key = packet->key;
    IMB_JOB *job = IMB_GET_NEXT_JOB(manager);
    job->cipher_mode = IMB_CIPHER_CHACHA20_POLY1305;
    job->hash_alg = IMB_AUTH_CHACHA20_POLY1305;
    job->cipher_direction = direction;
    job->chain_order = direction == IMB_DIR_ENCRYPT ? IMB_ORDER_CIPHER_HASH : IMB_ORDER_HASH_CIPHER;
    job->enc_keys = key->raw;
    job->dec_keys = key->raw;
    job->key_len_in_bytes = sizeof key->raw;
    job->u.CHACHA20_POLY1305.aad = packet->ad;
    job->u.CHACHA20_POLY1305.aad_len_in_bytes = packet->ad_length;
    job->src = packet->data;
    job->dst = packet->data;
    job->iv = (const uint8_t *)nonce;
    job->iv_len_in_bytes = CAEAD_NONCE;
    job->cipher_start_src_offset_in_bytes = 0;
    job->msg_len_to_cipher_in_bytes = packet->length;
    job->hash_start_src_offset_in_bytes = 0;
    job->msg_len_to_hash_in_bytes = packet->length;
    job->auth_tag_output = tag;
    job->auth_tag_output_len_in_bytes = CAEAD_TAG;
    IMB_JOB *done = IMB_SUBMIT_JOB_NOCHECK(manager);
    if (!done) done = IMB_FLUSH_JOB(manager);
    return done && done->status == IMB_STATUS_COMPLETED;
}

static void chacha_seal(caead_context *context, caead_job *jobs, size_t count) {
    ipsec_mb *state = state_of(context);
    while (count > 0) {
        size_t group = make_nonces(state, jobs, count);
        for (size_t i = 0; i < group; i++) {
            caead_job *job = &jobs[i];
            job->ok = 1;
            if (!chacha(state->manager, job, &state->nonces[i], IMB_DIR_ENCRYPT, job->tag)) caead_fail_seal(job);
        }
        jobs += group;
        count -= group;
    }
}

static void chacha_open(caead_context *context, caead_job *jobs, size_t count) {
    ipsec_mb *state = state_of(context);
    uint8_t tag[CAEAD_TAG];
    while (count > 0) {
        size_t group = make_nonces(state, jobs, count);
        for (size_t i = 0; i < group; i++) {
            caead_job *job = &jobs[i];
            int done = chacha(state->manager, job, &state->nonces[i], IMB_DIR_DECRYPT, tag);
            job->ok = done ? tags_equal(tag, job->tag) : 0;
        }
        jobs += group;
        count -= group;
    }
}

const caead_library caead_ipsec_mb = {
    .create = create,
    .destroy = destroy,
    .expand = expand,
    .seal = {chacha_seal, gcm_seal},
    .open = {chacha_open, gcm_open},
};
#endif
