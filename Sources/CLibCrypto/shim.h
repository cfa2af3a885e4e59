#ifndef PATHWISE_CLIBCRYPTO_H
#define PATHWISE_CLIBCRYPTO_H
#include <openssl/crypto.h>
#include <openssl/evp.h>
#endif
