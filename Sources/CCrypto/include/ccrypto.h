#ifndef PATHWISE_CCRYPTO_H
#define PATHWISE_CCRYPTO_H

// A thin layer over OpenSSL 3's libcrypto: algorithms are fetched once per process, contexts belong
// to their owners, and a failed call leaves nothing in the thread's OpenSSL error queue. Functions
// that return int return 1 for success and 0 for failure unless they say otherwise.

#include <stddef.h>
#include <stdint.h>

#define CCRYPTO_AEAD_AES_128_GCM 0
#define CCRYPTO_AEAD_AES_256_GCM 1
#define CCRYPTO_AEAD_CHACHA20_POLY1305 2

#define CCRYPTO_TAG_LENGTH 16
#define CCRYPTO_DIGEST_LENGTH 32
#define CCRYPTO_X25519_LENGTH 32

/// One AEAD key with its key schedule. It must not be used by two threads at once.
typedef struct ccrypto_aead ccrypto_aead;

/// One X25519 private key and its public key. It is immutable and may be shared between threads.
typedef struct ccrypto_x25519 ccrypto_x25519;

/// Sets up `key` (16 or 32 bytes, by algorithm). Returns null if memory or the algorithm is
/// missing.
ccrypto_aead *ccrypto_aead_new(int algorithm, const uint8_t *key);

/// Wipes and frees.
void ccrypto_aead_free(ccrypto_aead *aead);

/// Encrypts `payload` in place and writes the 16-byte tag behind it.
///
/// The nonce is the 12 bytes of `nonce_high` (4) and `nonce_low` (8), both big-endian.
int ccrypto_aead_seal(
    ccrypto_aead *aead, uint32_t nonce_high, uint64_t nonce_low, const uint8_t *header,
    size_t header_length, uint8_t *payload, size_t payload_length);

/// Decrypts `payload` in place; its tag lies behind it. On failure the payload is zeroed.
int ccrypto_aead_open(
    ccrypto_aead *aead, uint32_t nonce_high, uint64_t nonce_low, const uint8_t *header,
    size_t header_length, uint8_t *payload, size_t payload_length);

/// SHA-256 of the two pieces concatenated.
int ccrypto_sha256(
    const uint8_t *first, size_t first_length, const uint8_t *second, size_t second_length,
    uint8_t digest[CCRYPTO_DIGEST_LENGTH]);

/// An incremental SHA-256. Returns null if memory or the algorithm is missing.
typedef struct ccrypto_digest ccrypto_digest;
ccrypto_digest *ccrypto_digest_new(void);
void ccrypto_digest_free(ccrypto_digest *digest);
int ccrypto_digest_update(ccrypto_digest *digest, const void *bytes, size_t length);
int ccrypto_digest_finish(ccrypto_digest *digest, uint8_t out[CCRYPTO_DIGEST_LENGTH]);
/* The digest of everything so far; more data may follow. */
int ccrypto_digest_current(
    const ccrypto_digest *digest, uint8_t out[CCRYPTO_DIGEST_LENGTH]);

/// HMAC-SHA256 (RFC 2104) of the two pieces concatenated.
int ccrypto_hmac_sha256(
    const uint8_t *key, size_t key_length, const uint8_t *first, size_t first_length,
    const uint8_t *second, size_t second_length, uint8_t mac[CCRYPTO_DIGEST_LENGTH]);

/// Stores a private key. Returns null if memory or the algorithm is missing.
ccrypto_x25519 *ccrypto_x25519_new(const uint8_t private_key[CCRYPTO_X25519_LENGTH]);

/// Wipes and frees.
void ccrypto_x25519_free(ccrypto_x25519 *key);

int ccrypto_x25519_private(const ccrypto_x25519 *key, uint8_t out[CCRYPTO_X25519_LENGTH]);
int ccrypto_x25519_public(const ccrypto_x25519 *key, uint8_t out[CCRYPTO_X25519_LENGTH]);

/// X25519 of RFC 7748. Returns -1 if the shared secret is all zero (a peer key of small order).
int ccrypto_x25519_shared(
    const ccrypto_x25519 *key, const uint8_t peer[CCRYPTO_X25519_LENGTH],
    uint8_t out[CCRYPTO_X25519_LENGTH]);

/// Random bytes from libcrypto's generator for secrets, which the operating system seeds.
int ccrypto_random(uint8_t *out, size_t length);

/// Whether the bytes are equal, in a time that does not depend on them.
int ccrypto_equal(const uint8_t *left, const uint8_t *right, size_t length);

/// Zeroed memory for secrets, on its own pages that core dumps leave out, that a child process
/// finds empty, and that are not swapped out within RLIMIT_MEMLOCK. Returns null if memory is
/// missing.
void *ccrypto_secret_allocate(size_t length);

/// Overwrites with zeros and frees; null is ignored.
void ccrypto_secret_free(void *bytes);

/// Lets libcrypto allocate all its memory, including contexts with key schedules, from such pages
/// (a child process keeps these). Returns 0 and changes nothing if libcrypto was used in this
/// process before.
int ccrypto_secure_library(void);

/// Overwrites with zeros in a way that the compiler does not remove.
void ccrypto_wipe(void *bytes, size_t length);

#endif
