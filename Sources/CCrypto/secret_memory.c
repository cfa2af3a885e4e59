#define _GNU_SOURCE
#include "ccrypto.h"

#include <openssl/crypto.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

// Blocks of sizes 16, 32, 48, 64, 96, 128, 192, 256 and so on up to 24 KiB, cut from regions of
// whole pages and kept in one free list per size; larger blocks have their own pages. Each block is
// preceded by 16 bytes that hold its size.

#define HEADER 16
#define CLASSES 21
#define LARGE CLASSES
#define PAGE 4096

typedef struct block {
    struct block *next;
} block;

typedef struct {
    uint32_t class;
    uint32_t arena;
    // Bytes that the caller requested; the mapping of a large block has the header in addition.
    uint64_t length;
} header;

_Static_assert(sizeof(header) == HEADER, "a block's header keeps its alignment");

typedef struct {
    block *free[CLASSES];
    uint8_t *next;
    size_t left;
    size_t region;
    // The memory is empty in a child process; only for data that no child uses.
    int wipes_on_fork;
} arena;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t prepared = PTHREAD_ONCE_INIT;
// One arena for keys, and one for everything that libcrypto allocates.
static arena arenas[2] = {
    {.region = 1 << 16, .wipes_on_fork = 1},
    {.region = 1 << 18, .wipes_on_fork = 0},
};

static void take_lock(void) { pthread_mutex_lock(&lock); }
static void release_lock(void) { pthread_mutex_unlock(&lock); }
static void prepare(void) { pthread_atfork(take_lock, release_lock, release_lock); }

static size_t size_of(uint32_t class) {
    // Sizes are 16, then each power of two and one and a half times it.
    if (class == 0) return 16;
    size_t power = (size_t)32 << ((class - 1) / 2);
    return class % 2 == 1 ? power : power + power / 2;
}

static uint32_t class_of(size_t length) {
    uint32_t class = 0;
    while (class < CLASSES && size_of(class) < length) class++;
    return class;
}

// Maps pages that core dumps leave out and that are locked within RLIMIT_MEMLOCK.
static void *map(size_t length, int wipes_on_fork) {
    void *pages = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED) return NULL;
    madvise(pages, length, MADV_DONTDUMP);
    if (wipes_on_fork) madvise(pages, length, MADV_WIPEONFORK);
    mlock(pages, length);
    return pages;
}

static size_t mapping_of(size_t length) {
    return (length + HEADER + PAGE - 1) / PAGE * PAGE;
}

static void *take(uint32_t which, size_t length) {
    if (length > SIZE_MAX / 2) return NULL;
    uint32_t class = class_of(length);
    header *found = NULL;
    if (class == LARGE) {
        found = map(mapping_of(length), arenas[which].wipes_on_fork);
    } else {
        pthread_once(&prepared, prepare);
        size_t size = HEADER + size_of(class);
        arena *from = &arenas[which];
        pthread_mutex_lock(&lock);
        if (from->free[class] != NULL) {
            block *first = from->free[class];
            from->free[class] = first->next;
            first->next = NULL;
            found = (header *)((uint8_t *)first - HEADER);
        } else {
            if (from->left < size) {
                // The rest of the old region is smaller than one block and is abandoned.
                uint8_t *fresh = map(from->region, from->wipes_on_fork);
                if (fresh != NULL) {
                    from->next = fresh;
                    from->left = from->region;
                }
            }
            if (from->left >= size) {
                found = (header *)from->next;
                from->next += size;
                from->left -= size;
            }
        }
        pthread_mutex_unlock(&lock);
    }
    if (found == NULL) return NULL;
    *found = (header){.class = class, .arena = which, .length = length};
    return (uint8_t *)found + HEADER;
}

static header *header_of(void *bytes) { return (header *)((uint8_t *)bytes - HEADER); }

static void give(void *bytes) {
    if (bytes == NULL) return;
    header *its = header_of(bytes);
    if (its->class == LARGE) {
        size_t mapping = mapping_of(its->length);
        OPENSSL_cleanse(its, mapping);
        munmap(its, mapping);
        return;
    }
    // A returned block is always wiped.
    OPENSSL_cleanse(bytes, its->length);
    arena *to = &arenas[its->arena];
    pthread_mutex_lock(&lock);
    block *returned = bytes;
    returned->next = to->free[its->class];
    to->free[its->class] = returned;
    pthread_mutex_unlock(&lock);
}

void *ccrypto_secret_allocate(size_t length) {
    void *bytes = take(0, length);
    if (bytes != NULL) memset(bytes, 0, length);
    return bytes;
}

void ccrypto_secret_free(void *bytes) { give(bytes); }

// MARK: libcrypto's own memory.

static void *library_allocate(size_t length, const char *file, int line) {
    (void)file, (void)line;
    return length == 0 ? NULL : take(1, length);
}

static void library_free(void *bytes, const char *file, int line) {
    (void)file, (void)line;
    give(bytes);
}

static void *library_reallocate(void *bytes, size_t length, const char *file, int line) {
    if (bytes == NULL) return library_allocate(length, file, line);
    if (length == 0) {
        give(bytes);
        return NULL;
    }
    header *its = header_of(bytes);
    if (its->class != LARGE && length <= size_of(its->class)) {
        // The released part is wiped, so that `give` needs to know only the last length.
        if (length < its->length) {
            OPENSSL_cleanse((uint8_t *)bytes + length, its->length - length);
        }
        its->length = length;
        return bytes;
    }
    void *moved = take(1, length);
    if (moved == NULL) return NULL;
    memcpy(moved, bytes, length < its->length ? length : its->length);
    give(bytes);
    return moved;
}

int ccrypto_secure_library(void) {
    return CRYPTO_set_mem_functions(library_allocate, library_reallocate, library_free);
}
