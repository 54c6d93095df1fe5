// libsodium: ChaCha20-Poly1305 everywhere, AES-256-GCM where the CPU has AES and carry-less multiply instructions.
#include "aead_private.h"

#include <sodium.h>

_Static_assert(sizeof(crypto_aead_aes256gcm_state) <= sizeof(((caead_key *)0)->expanded), "a GCM state fits a key");

static int create(caead_context *context) {
    context->suites[CAEAD_PROVIDER_LIBSODIUM - 1] = 0;
    if (sodium_init() < 0) return 0;
    context->suites[CAEAD_PROVIDER_LIBSODIUM - 1] = crypto_aead_aes256gcm_is_available() ? 3 : 1;
    return 0;
}

static void destroy(caead_context *context) { (void)context; }

static void expand(caead_context *context, caead_key *key, int suite, const uint8_t raw[32]) {
    (void)context;
    if (suite == CAEAD_SUITE_AES_256_GCM)
        crypto_aead_aes256gcm_beforenm((crypto_aead_aes256gcm_state *)(void *)key->expanded, raw);
    else
        memcpy(key->raw, raw, sizeof key->raw);
}

static const crypto_aead_aes256gcm_state *gcm_key(const caead_job *job) {
    return (const crypto_aead_aes256gcm_state *)(const void *)((const caead_key *)job->key)->expanded;
}

static void gcm_seal(caead_context *context, caead_job *jobs, size_t count) {
    (void)context;
    for (size_t i = 0; i < count; i++) {
        caead_job *job = &jobs[i];
        caead_nonce nonce = caead_make_nonce(job);
        job->ok = 1;
        if (crypto_aead_aes256gcm_encrypt_detached_afternm(
                job->data, job->tag, NULL, job->data, job->length, job->ad, job->ad_length, NULL,
                (const uint8_t *)&nonce, gcm_key(job)) != 0)
            caead_fail_seal(job);
    }
}

static void gcm_open(caead_context *context, caead_job *jobs, size_t count) {
    (void)context;
    for (size_t i = 0; i < count; i++) {
        caead_job *job = &jobs[i];
        caead_nonce nonce = caead_make_nonce(job);
        job->ok = crypto_aead_aes256gcm_decrypt_detached_afternm(
                      job->data, NULL, job->data, job->length, job->tag, job->ad, job->ad_length,
                      (const uint8_t *)&nonce, gcm_key(job)) == 0;
    }
}

static void chacha_seal(caead_context *context, caead_job *jobs, size_t count) {
    (void)context;
    for (size_t i = 0; i < count; i++) {
        caead_job *job = &jobs[i];
        caead_nonce nonce = caead_make_nonce(job);
        job->ok = 1;
        if (crypto_aead_chacha20poly1305_ietf_encrypt_detached(
                job->data, job->tag, NULL, job->data, job->length, job->ad, job->ad_length, NULL,
                (const uint8_t *)&nonce, ((const caead_key *)job->key)->raw) != 0)
            caead_fail_seal(job);
    }
}

static void chacha_open(caead_context *context, caead_job *jobs, size_t count) {
    (void)context;
    for (size_t i = 0; i < count; i++) {
        caead_job *job = &jobs[i];
        caead_nonce nonce = caead_make_nonce(job);
        job->ok = crypto_aead_chacha20poly1305_ietf_decrypt_detached(
                      job->data, NULL, job->data, job->length, job->tag, job->ad, job->ad_length,
                      (const uint8_t *)&nonce, ((const caead_key *)job->key)->raw) == 0;
    }
}

const caead_library caead_libsodium = {
    .create = create,
    .destroy = destroy,
    .expand = expand,
    .seal = {chacha_seal, gcm_seal},
    .open = {chacha_open, gcm_open},
};
