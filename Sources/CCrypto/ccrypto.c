#include "ccrypto.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define NONCE_LENGTH 12
#define HMAC_BLOCK_LENGTH 64

// Fetching an algorithm looks it up in the providers under a lock, so it is done once; the first
// use of the library initialises it this way.
static pthread_once_t fetched = PTHREAD_ONCE_INIT;
static EVP_CIPHER *ciphers[3];
static EVP_MD *sha256;

static void fetch_algorithms(void) {
    // At exit the library would free memory that threads which still run, or are ending, also free.
    OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT, NULL);
    ERR_set_mark();
    ciphers[CCRYPTO_AEAD_AES_128_GCM] = EVP_CIPHER_fetch(NULL, "AES-128-GCM", NULL);
    ciphers[CCRYPTO_AEAD_AES_256_GCM] = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
    ciphers[CCRYPTO_AEAD_CHACHA20_POLY1305] = EVP_CIPHER_fetch(NULL, "ChaCha20-Poly1305", NULL);
    sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    ERR_pop_to_mark();
}

// MARK: AEAD. The handle is the cipher context itself.

static EVP_CIPHER_CTX *context_of(ccrypto_aead *aead) { return (EVP_CIPHER_CTX *)aead; }

ccrypto_aead *ccrypto_aead_new(int algorithm, const uint8_t *key) {
    pthread_once(&fetched, fetch_algorithms);
    if (algorithm < 0 || algorithm > 2 || ciphers[algorithm] == NULL) return NULL;
    ERR_set_mark();
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    if (context != NULL && !EVP_EncryptInit_ex2(context, ciphers[algorithm], key, NULL, NULL)) {
        EVP_CIPHER_CTX_free(context);
        context = NULL;
    }
    ERR_pop_to_mark();
    return (ccrypto_aead *)context;
}

void ccrypto_aead_free(ccrypto_aead *aead) { EVP_CIPHER_CTX_free(context_of(aead)); }

static void write_nonce(uint8_t nonce[NONCE_LENGTH], uint32_t high, uint64_t low) {
    uint32_t high_bytes = __builtin_bswap32(high);
    uint64_t low_bytes = __builtin_bswap64(low);
    memcpy(nonce, &high_bytes, 4);
    memcpy(nonce + 4, &low_bytes, 8);
}

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "write_nonce assumes a little-endian machine"
#endif

int ccrypto_aead_seal(
    ccrypto_aead *aead, uint32_t nonce_high, uint64_t nonce_low, const uint8_t *header,
    size_t header_length, uint8_t *payload, size_t payload_length) {
    if (header_length > INT_MAX || payload_length > INT_MAX - CCRYPTO_TAG_LENGTH) return 0;
    EVP_CIPHER_CTX *context = context_of(aead);
    uint8_t nonce[NONCE_LENGTH];
    int count = 0;
    write_nonce(nonce, nonce_high, nonce_low);
    // Without cipher and key only the nonce changes: the key schedule stays.
    if (!EVP_EncryptInit_ex(context, NULL, NULL, NULL, nonce)) return 0;
    if (header_length > 0
        && !EVP_EncryptUpdate(context, NULL, &count, header, (int)header_length))
        return 0;
    if (payload_length > 0
        && !EVP_EncryptUpdate(context, payload, &count, payload, (int)payload_length))
        return 0;
    if (!EVP_EncryptFinal_ex(context, payload + payload_length, &count)) return 0;
    return EVP_CIPHER_CTX_ctrl(
               context, EVP_CTRL_AEAD_GET_TAG, CCRYPTO_TAG_LENGTH, payload + payload_length)
        > 0;
}

static int open_in_place(
    EVP_CIPHER_CTX *context, const uint8_t *nonce, const uint8_t *header, int header_length,
    uint8_t *payload, int payload_length) {
    int count = 0;
    if (!EVP_DecryptInit_ex(context, NULL, NULL, NULL, nonce)) return 0;
    if (EVP_CIPHER_CTX_ctrl(
            context, EVP_CTRL_AEAD_SET_TAG, CCRYPTO_TAG_LENGTH, payload + payload_length)
        <= 0)
        return 0;
    if (header_length > 0 && !EVP_DecryptUpdate(context, NULL, &count, header, header_length))
        return 0;
    if (payload_length > 0
        && !EVP_DecryptUpdate(context, payload, &count, payload, payload_length))
        return 0;
    return EVP_DecryptFinal_ex(context, payload + payload_length, &count) > 0;
}

int ccrypto_aead_open(
    ccrypto_aead *aead, uint32_t nonce_high, uint64_t nonce_low, const uint8_t *header,
    size_t header_length, uint8_t *payload, size_t payload_length) {
    if (header_length > INT_MAX || payload_length > INT_MAX - CCRYPTO_TAG_LENGTH) return 0;
    uint8_t nonce[NONCE_LENGTH];
    write_nonce(nonce, nonce_high, nonce_low);
    int opened = open_in_place(
        context_of(aead), nonce, header, (int)header_length, payload, (int)payload_length);
    // Data that was decrypted without authentication must not be read.
    if (!opened) memset(payload, 0, payload_length);
    return opened;
}

// MARK: Hash and MAC.

static int digest_pieces(
    EVP_MD_CTX *context, const uint8_t *zeroth, size_t zeroth_length, const uint8_t *first,
    size_t first_length, const uint8_t *second, size_t second_length, uint8_t *digest) {
    return EVP_DigestInit_ex2(context, sha256, NULL)
        && (zeroth_length == 0 || EVP_DigestUpdate(context, zeroth, zeroth_length))
        && (first_length == 0 || EVP_DigestUpdate(context, first, first_length))
        && (second_length == 0 || EVP_DigestUpdate(context, second, second_length))
        && EVP_DigestFinal_ex(context, digest, NULL);
}

static EVP_MD_CTX *new_digest(void) {
    pthread_once(&fetched, fetch_algorithms);
    return sha256 == NULL ? NULL : EVP_MD_CTX_new();
}

int ccrypto_sha256(
    const uint8_t *first, size_t first_length, const uint8_t *second, size_t second_length,
    uint8_t digest[CCRYPTO_DIGEST_LENGTH]) {
    EVP_MD_CTX *context = new_digest();
    if (context == NULL) return 0;
    int done = digest_pieces(
        context, NULL, 0, first, first_length, second, second_length, digest);
    EVP_MD_CTX_free(context);
    return done;
}

struct ccrypto_digest { EVP_MD_CTX *context; };

ccrypto_digest *ccrypto_digest_new(void) {
    ccrypto_digest *digest = malloc(sizeof *digest);
    if (digest == NULL) return NULL;
    digest->context = new_digest();
    if (digest->context == NULL || EVP_DigestInit_ex(digest->context, sha256, NULL) != 1) {
        ccrypto_digest_free(digest);
        return NULL;
    }
    return digest;
}

void ccrypto_digest_free(ccrypto_digest *digest) {
    if (digest == NULL) return;
    EVP_MD_CTX_free(digest->context);
    free(digest);
}

int ccrypto_digest_update(ccrypto_digest *digest, const void *bytes, size_t length) {
    return EVP_DigestUpdate(digest->context, bytes, length) == 1;
}

int ccrypto_digest_finish(ccrypto_digest *digest, uint8_t out[CCRYPTO_DIGEST_LENGTH]) {
    return EVP_DigestFinal_ex(digest->context, out, NULL) == 1;
}

int ccrypto_digest_current(const ccrypto_digest *digest, uint8_t out[CCRYPTO_DIGEST_LENGTH]) {
    EVP_MD_CTX *copy = EVP_MD_CTX_new();
    if (copy == NULL) return 0;
    int done = EVP_MD_CTX_copy_ex(copy, digest->context) == 1
        && EVP_DigestFinal_ex(copy, out, NULL) == 1;
    EVP_MD_CTX_free(copy);
    return done;
}

// For short messages EVP_MAC costs several times as much as the two hashes, so HMAC is written
// here.
int ccrypto_hmac_sha256(
    const uint8_t *key, size_t key_length, const uint8_t *first, size_t first_length,
    const uint8_t *second, size_t second_length, uint8_t mac[CCRYPTO_DIGEST_LENGTH]) {
    EVP_MD_CTX *context = new_digest();
    if (context == NULL) return 0;
    uint8_t inner_pad[HMAC_BLOCK_LENGTH] = {0};
    uint8_t outer_pad[HMAC_BLOCK_LENGTH];
    uint8_t inner[CCRYPTO_DIGEST_LENGTH];
    int done = 1;
    if (key_length > HMAC_BLOCK_LENGTH)
        done = digest_pieces(context, NULL, 0, key, key_length, NULL, 0, inner_pad);
    else if (key_length > 0)
        memcpy(inner_pad, key, key_length);
    for (size_t i = 0; i < HMAC_BLOCK_LENGTH; i++) {
        outer_pad[i] = inner_pad[i] ^ 0x5c;
        inner_pad[i] ^= 0x36;
    }
    done = done
        && digest_pieces(
               context, inner_pad, HMAC_BLOCK_LENGTH, first, first_length, second, second_length,
               inner)
        && digest_pieces(
               context, outer_pad, HMAC_BLOCK_LENGTH, inner, CCRYPTO_DIGEST_LENGTH, NULL, 0, mac);
    OPENSSL_cleanse(inner_pad, sizeof inner_pad);
    OPENSSL_cleanse(outer_pad, sizeof outer_pad);
    OPENSSL_cleanse(inner, sizeof inner);
    EVP_MD_CTX_free(context);
    return done;
}

// MARK: X25519. The handle is the key object itself, which wipes its private half when freed.

static EVP_PKEY *key_of(const ccrypto_x25519 *key) { return (EVP_PKEY *)key; }

ccrypto_x25519 *ccrypto_x25519_new(const uint8_t private_key[CCRYPTO_X25519_LENGTH]) {
    pthread_once(&fetched, fetch_algorithms);
    ERR_set_mark();
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key(
        EVP_PKEY_X25519, NULL, private_key, CCRYPTO_X25519_LENGTH);
    ERR_pop_to_mark();
    return (ccrypto_x25519 *)key;
}

void ccrypto_x25519_free(ccrypto_x25519 *key) { EVP_PKEY_free(key_of(key)); }

int ccrypto_x25519_private(const ccrypto_x25519 *key, uint8_t out[CCRYPTO_X25519_LENGTH]) {
    size_t length = CCRYPTO_X25519_LENGTH;
    return EVP_PKEY_get_raw_private_key(key_of(key), out, &length) > 0
        && length == CCRYPTO_X25519_LENGTH;
}

int ccrypto_x25519_public(const ccrypto_x25519 *key, uint8_t out[CCRYPTO_X25519_LENGTH]) {
    size_t length = CCRYPTO_X25519_LENGTH;
    return EVP_PKEY_get_raw_public_key(key_of(key), out, &length) > 0
        && length == CCRYPTO_X25519_LENGTH;
}

int ccrypto_x25519_shared(
    const ccrypto_x25519 *key, const uint8_t peer[CCRYPTO_X25519_LENGTH],
    uint8_t out[CCRYPTO_X25519_LENGTH]) {
    static const uint8_t zero[CCRYPTO_X25519_LENGTH];
    int result = 0;
    size_t length = CCRYPTO_X25519_LENGTH;
    ERR_set_mark();
    EVP_PKEY *peer_key =
        EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, NULL, peer, CCRYPTO_X25519_LENGTH);
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(key_of(key), NULL);
    if (peer_key != NULL && context != NULL && EVP_PKEY_derive_init(context) > 0
        && EVP_PKEY_derive_set_peer_ex(context, peer_key, 0) > 0) {
        // With both keys set, derivation fails only for the all-zero result.
        result = EVP_PKEY_derive(context, out, &length) > 0 && length == CCRYPTO_X25519_LENGTH
                && CRYPTO_memcmp(out, zero, CCRYPTO_X25519_LENGTH) != 0
            ? 1
            : -1;
    }
    if (result != 1) OPENSSL_cleanse(out, CCRYPTO_X25519_LENGTH);
    EVP_PKEY_CTX_free(context);
    EVP_PKEY_free(peer_key);
    ERR_pop_to_mark();
    return result;
}

// MARK: Randomness, comparison, wiping.

int ccrypto_random(uint8_t *out, size_t length) {
    if (length > INT_MAX) return 0;
    pthread_once(&fetched, fetch_algorithms);
    ERR_set_mark();
    int done = RAND_priv_bytes(out, (int)length) == 1;
    ERR_pop_to_mark();
    return done;
}

int ccrypto_equal(const uint8_t *left, const uint8_t *right, size_t length) {
    return CRYPTO_memcmp(left, right, length) == 0;
}

void ccrypto_wipe(void *bytes, size_t length) { OPENSSL_cleanse(bytes, length); }
