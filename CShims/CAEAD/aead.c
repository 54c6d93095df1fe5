// The interface: contexts, keys, dispatch, choice of library, known answers. The libraries are in files of their own.
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "aead_private.h"

#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__)
#include <sys/auxv.h>
#endif

static const caead_library *const libraries[CAEAD_PROVIDERS] = {
#if defined(__x86_64__)
    &caead_ipsec_mb,
#else
    NULL,
#endif
    &caead_libcrypto,
    &caead_libsodium,
};

// MARK: contexts

void caead_context_destroy(caead_context *context) {
    if (!context) return;
    for (int i = 0; i < CAEAD_PROVIDERS; i++)
        if (libraries[i]) libraries[i]->destroy(context);
    free(context);
}

static caead_context *make_context(void) {
    caead_context *context = calloc(1, sizeof *context);
    if (!context) return NULL;
    for (int i = 0; i < CAEAD_PROVIDERS; i++) {
        if (libraries[i] && libraries[i]->create(context) != 0) {
            caead_context_destroy(context);
            return NULL;
        }
    }
    return context;
}

caead_context *caead_context_create(void) {
    // Settles both defaults now, so that caead_key_init finds them without allocating.
    caead_provider(CAEAD_SUITE_CHACHA20_POLY1305);
    caead_provider(CAEAD_SUITE_AES_256_GCM);
    return make_context();
}

// The context of the functions that are given none; whoever uses it holds the mutex. NULL with no memory, when the
// next call tries again.
static pthread_mutex_t own_mutex = PTHREAD_MUTEX_INITIALIZER;
static caead_context *own_context;

static caead_context *lock_own_context(void) {
    pthread_mutex_lock(&own_mutex);
    if (!own_context) own_context = make_context();
    return own_context;
}

static void unlock_own_context(void) { pthread_mutex_unlock(&own_mutex); }

static int serves(const caead_context *context, int suite, int provider) {
    if (!context || suite < 1 || suite > CAEAD_SUITES || provider < 1 || provider > CAEAD_PROVIDERS) return 0;
    return context->suites[provider - 1] >> (suite - 1) & 1;
}

// MARK: keys

// Provider per suite; 0 until chosen.
static _Atomic int chosen[CAEAD_SUITES];
static _Atomic uint64_t last_serial;

static void init_key(caead_context *context, caead_key *key, int suite, int provider, const uint8_t raw[32]) {
    memset(key, 0, CAEAD_KEY_SIZE);
    if (!serves(context, suite, provider)) return;
    libraries[provider - 1]->expand(context, key, suite, raw);
    key->serial = atomic_fetch_add_explicit(&last_serial, 1, memory_order_relaxed) + 1;
    key->scheme = caead_scheme(suite, provider);
}

void caead_key_init(caead_context *context, void *key, int suite, const uint8_t raw[32]) {
    init_key(context, key, suite, caead_provider(suite), raw);
}

_Atomic uint64_t caead_wiped;

void caead_key_wipe(void *key) {
    explicit_bzero(key, CAEAD_KEY_SIZE);
    atomic_fetch_add_explicit(&caead_wiped, 1, memory_order_relaxed);
}

// MARK: packets

static void refuse_seal(caead_context *context, caead_job *jobs, size_t count) {
    (void)context;
    for (size_t i = 0; i < count; i++) caead_fail_seal(&jobs[i]);
}

static void refuse_open(caead_context *context, caead_job *jobs, size_t count) {
    (void)context;
    for (size_t i = 0; i < count; i++) jobs[i].ok = 0;
}

static uint32_t scheme_of(const caead_job *job) { return ((const caead_key *)job->key)->scheme; }

// Hands each run of jobs of one scheme to its library.
static inline void run(caead_context *context, caead_job *jobs, size_t count, int opening) {
    size_t start = 0;
    while (start < count) {
        uint32_t scheme = scheme_of(&jobs[start]);
        size_t end = start + 1;
        while (end < count && scheme_of(&jobs[end]) == scheme) end++;
        caead_operation operation = opening ? refuse_open : refuse_seal;
        if (scheme > 0 && scheme < CAEAD_SCHEMES) {
            const caead_library *library = libraries[(scheme - 1) / CAEAD_SUITES];
            uint32_t suite = (scheme - 1) % CAEAD_SUITES;
            if (library) operation = opening ? library->open[suite] : library->seal[suite];
        }
        operation(context, &jobs[start], end - start);
        start = end;
    }
}

void caead_seal(caead_context *context, caead_job *jobs, size_t count) { run(context, jobs, count, 0); }

void caead_open(caead_context *context, caead_job *jobs, size_t count) { run(context, jobs, count, 1); }

// MARK: measuring

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

enum { SERIES = 8, LONGEST = 65536 };

// The quickest series of seals within 400 microseconds, in nanoseconds a seal: what disturbs only makes slower.
static double quickest(caead_context *context, caead_job *jobs) {
    double best = 0, begin = now();
    do {
        double before = now();
        caead_seal(context, jobs, SERIES);
        double each = (now() - before) / (double)SERIES;
        if (best == 0 || each < best) best = each;
    } while (now() - begin < 400e3);
    return best;
}

static double measure(caead_context *context, int suite, int provider, size_t length) {
    if (!serves(context, suite, provider) || length > LONGEST) return 0;
    size_t size = CAEAD_KEY_SIZE + (length + CAEAD_TAG + 63) / 64 * 64;
    uint8_t *memory = aligned_alloc(64, size);
    if (!memory) return 0;
    memset(memory, 0, size);
    uint8_t raw[32] = {0};
    init_key(context, (caead_key *)(void *)memory, suite, provider, raw);
    caead_job jobs[SERIES];
    memset(jobs, 0, sizeof jobs);
    for (size_t i = 0; i < SERIES; i++) {
        jobs[i].key = memory;
        jobs[i].data = memory + CAEAD_KEY_SIZE;
        jobs[i].tag = jobs[i].data + length;
        jobs[i].ad = jobs[i].ad_inline;
        jobs[i].ad_length = 16;
        jobs[i].length = (uint32_t)length;
        jobs[i].counter = i;
    }
    caead_seal(context, jobs, 1);
    double result = quickest(context, jobs);
    free(memory);
    return result;
}

double caead_measure(int suite, int provider, size_t length) {
    double result = measure(lock_own_context(), suite, provider, length);
    unlock_own_context();
    return result;
}

// MARK: known answers

typedef struct known_answer {
    int suite;
    uint8_t raw[32];
    uint64_t counter;
    const char *ad;
    uint32_t ad_length;
    const char *text;
    uint32_t length;
    uint8_t tag[CAEAD_TAG];  // covers the ciphertext, which therefore needs no copy here
    uint32_t nonce_head;
} known_answer;

#define BYTES(string) string, sizeof(string) - 1

// Key, counter, associated data and text of RFC 8439 appendix A.5.
#define RFC_KEY \
    {0x1c, 0x92, 0x40, 0xa5, 0xeb, 0x55, 0xd3, 0x8a, 0xf3, 0x33, 0x88, 0x86, 0x04, 0xf6, 0xb5, 0xf0, \
     0x47, 0x39, 0x17, 0xc1, 0x40, 0x2b, 0x80, 0x09, 0x9d, 0xca, 0x5c, 0xbc, 0x20, 0x70, 0x75, 0xc0}
#define RFC_COUNTER 0x0807060504030201
#define RFC_AD "\xf3\x33\x88\x86\x00\x00\x00\x00\x00\x00\x4e\x91"
#define RFC_TEXT \
    "Internet-Drafts are draft documents valid for a maximum of six months and may be updated, replaced, or " \
    "obsoleted by other documents at any time. It is inappropriate to use Internet-Drafts as reference material or " \
    "to cite them other than as /\xe2\x80\x9cwork in progress./\xe2\x80\x9d"

static const known_answer answers[] = {
    // RFC 8439 appendix A.5.
    {CAEAD_SUITE_CHACHA20_POLY1305,
     RFC_KEY,
     RFC_COUNTER,
     BYTES(RFC_AD),
     BYTES(RFC_TEXT),
     {0xee, 0xad, 0x9d, 0x67, 0x89, 0x0c, 0xbb, 0x22, 0x39, 0x23, 0x36, 0xfe, 0xa1, 0x85, 0x1f, 0x38},
     0},
    // McGrew and Viega, The Galois/Counter Mode of Operation, test case 14.
    {CAEAD_SUITE_AES_256_GCM,
     {0},
     0,
     BYTES(""),
     BYTES("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"),
     {0xd0, 0xd1, 0xc8, 0xa7, 0x99, 0x99, 0x6b, 0xf0, 0x26, 0x5b, 0x98, 0xb5, 0xd4, 0x8a, 0xb9, 0x19},
     0},
    // The same packet under the other suite; OpenSSL and libsodium agree on its tag.
    {CAEAD_SUITE_AES_256_GCM,
     RFC_KEY,
     RFC_COUNTER,
     BYTES(RFC_AD),
     BYTES(RFC_TEXT),
     {0x8a, 0x65, 0x74, 0xb6, 0x47, 0xb0, 0xbe, 0x9e, 0xa1, 0xfa, 0x82, 0x6d, 0x13, 0x31, 0x95, 0xa5},
     0},
    // RFC 8439 section 2.8.2: a nonce whose first four bytes are not zero.
    {CAEAD_SUITE_CHACHA20_POLY1305,
     {0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x8b, 0x8c, 0x8d, 0x8e, 0x8f,
      0x90, 0x91, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9a, 0x9b, 0x9c, 0x9d, 0x9e, 0x9f},
     0x4746454443424140,
     BYTES("\x50\x51\x52\x53\xc0\xc1\xc2\xc3\xc4\xc5\xc6\xc7"),
     BYTES("Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen "
           "would be it."),
     {0x1a, 0xe1, 0x0b, 0x59, 0x4f, 0x09, 0xe2, 0x6a, 0x7e, 0x90, 0x2e, 0xcb, 0xd0, 0x60, 0x06, 0x91},
     0x00000007},
    // McGrew and Viega, test case 16: the same.
    {CAEAD_SUITE_AES_256_GCM,
     {0xfe, 0xff, 0xe9, 0x92, 0x86, 0x65, 0x73, 0x1c, 0x6d, 0x6a, 0x8f, 0x94, 0x67, 0x30, 0x83, 0x08,
      0xfe, 0xff, 0xe9, 0x92, 0x86, 0x65, 0x73, 0x1c, 0x6d, 0x6a, 0x8f, 0x94, 0x67, 0x30, 0x83, 0x08},
     0x88f8cadeaddbcefa,
     BYTES("\xfe\xed\xfa\xce\xde\xad\xbe\xef\xfe\xed\xfa\xce\xde\xad\xbe\xef\xab\xad\xda\xd2"),
     BYTES("\xd9\x31\x32\x25\xf8\x84\x06\xe5\xa5\x59\x09\xc5\xaf\xf5\x26\x9a\x86\xa7\xa9\x53"
           "\x15\x34\xf7\xda\x2e\x4c\x30\x3d\x8a\x31\x8a\x72\x1c\x3c\x0c\x95\x95\x68\x09\x53"
           "\x2f\xcf\x0e\x24\x49\xa6\xb5\x25\xb1\x6a\xed\xf5\xaa\x0d\xe6\x57\xba\x63\x7b\x39"),
     {0x76, 0xfc, 0x6e, 0xce, 0x0f, 0x4e, 0x17, 0x68, 0xcd, 0xdf, 0x88, 0x53, 0xbb, 0x2d, 0x55, 0x1b},
     0xbebafeca},
};

enum { LONGEST_ANSWER = 320 };

static int holds(caead_context *context, int provider, const known_answer *answer) {
    _Alignas(64) uint8_t key[CAEAD_KEY_SIZE];
    uint8_t data[LONGEST_ANSWER], tag[CAEAD_TAG];
    caead_job job = {0};
    init_key(context, (caead_key *)(void *)key, answer->suite, provider, answer->raw);
    memcpy(data, answer->text, answer->length);
    job.key = key;
    job.data = data;
    job.tag = tag;
    job.ad = (const uint8_t *)answer->ad;
    job.ad_length = answer->ad_length;
    job.length = answer->length;
    job.counter = answer->counter;
    job.nonce_head = answer->nonce_head;
    caead_seal(context, &job, 1);
    int good = job.ok && memcmp(tag, answer->tag, CAEAD_TAG) == 0;
    caead_open(context, &job, 1);
    good = good && job.ok && memcmp(data, answer->text, answer->length) == 0;
    tag[0] ^= 1;
    caead_seal(context, &job, 1);
    tag[CAEAD_TAG - 1] ^= 0x80;
    caead_open(context, &job, 1);
    return good && !job.ok;
}

static int self_test(caead_context *context, int suite, int provider) {
    if (!serves(context, suite, provider)) return 0;
    int good = 1;
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++)
        if (answers[i].suite == suite) good &= holds(context, provider, &answers[i]);
    return good;
}

int caead_self_test(int suite, int provider) {
    int result = self_test(lock_own_context(), suite, provider);
    unlock_own_context();
    return result;
}

// MARK: choice

int caead_available(int suite, int provider) {
    int result = serves(lock_own_context(), suite, provider);
    unlock_own_context();
    return result;
}

// The fastest provider for one header and one full packet, of those that give the known answers; 0 when none does.
static int fastest(caead_context *context, int suite) {
    int best = 0;
    double least = 0;
    for (int provider = 1; provider <= CAEAD_PROVIDERS; provider++) {
        if (!self_test(context, suite, provider)) continue;
        double header = measure(context, suite, provider, 64), packet = measure(context, suite, provider, 1400);
        if (header <= 0 || packet <= 0) continue;
        if (best == 0 || header + packet < least) {
            best = provider;
            least = header + packet;
        }
    }
    return best;
}

int caead_select(int suite, int provider) {
    if (suite < 1 || suite > CAEAD_SUITES) return -1;
    caead_context *context = lock_own_context();
    int choice = provider;
    if (provider == CAEAD_PROVIDER_AUTO && context) choice = fastest(context, suite);
    int good = serves(context, suite, choice);
    unlock_own_context();
    if (good) atomic_store(&chosen[suite - 1], choice);
    return good ? 0 : -1;
}

int caead_provider(int suite) {
    if (suite < 1 || suite > CAEAD_SUITES) return CAEAD_PROVIDER_AUTO;
    int choice = atomic_load(&chosen[suite - 1]);
    if (choice != 0) return choice;
    caead_context *context = lock_own_context();
    int first = 0;
    for (int provider = CAEAD_PROVIDERS; provider > 0; provider--)
        if (serves(context, suite, provider)) first = provider;
    unlock_own_context();
    // A choice made meanwhile stands.
    if (atomic_compare_exchange_strong(&chosen[suite - 1], &choice, first)) choice = first;
    return choice;
}

const char *caead_provider_name(int provider) {
    if (provider == CAEAD_PROVIDER_AUTO) return "auto";
    static const char *const names[CAEAD_PROVIDERS] = {"ipsec-mb", "libcrypto", "libsodium"};
    if (provider < 0 || provider > CAEAD_PROVIDERS) return "unknown";
    return names[provider - 1];
}

int caead_aes_is_constant_time(void) {
#if defined(__x86_64__)
    unsigned a, b, c, d;
    return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_AES) && (c & bit_PCLMUL);
#elif defined(__aarch64__)
    unsigned long capabilities = getauxval(AT_HWCAP);
    return (capabilities & HWCAP_AES) && (capabilities & HWCAP_PMULL);
#else
    return 0;
#endif
}
