#include "address.h"
#include <arpa/inet.h>
#include <string.h>

static void put64(uint8_t *to, uint64_t value)
{
    for (int i = 0; i < 8; i++)
        to[i] = (uint8_t)(value >> (56 - 8 * i));
}

static uint64_t get64(const uint8_t *from)
{
    uint64_t value = 0;
    for (int i = 0; i < 8; i++)
        value = value << 8 | from[i];
    return value;
}

void clu_to_in6(const clu_address *from, struct in6_addr *to)
{
    uint64_t mapped = UINT64_C(0xffff00000000) | (from->low & 0xffffffff);
    put64(to->s6_addr, from->family == 4 ? 0 : from->high);
    put64(to->s6_addr + 8, from->family == 4 ? mapped : from->low);
}

void clu_from_in(struct in_addr from, clu_address *to)
{
    *to = (clu_address){ .low = ntohl(from.s_addr), .family = 4 };
}

void clu_from_in6(const struct in6_addr *from, clu_address *to)
{
    *to = (clu_address){ .high = get64(from->s6_addr), .low = get64(from->s6_addr + 8),
                         .family = 6 };
    if (to->high == 0 && to->low >> 32 == 0xffff) {
        to->low &= 0xffffffff;
        to->family = 4;
    }
}

socklen_t clu_to_sockaddr(const clu_address *from, int socket_family, struct sockaddr_storage *to)
{
    if (socket_family == 4) {
        if (from->family != 4)
            return 0;
        struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(from->port),
                                  .sin_addr.s_addr = htonl((uint32_t)from->low) };
        memcpy(to, &in, sizeof in);
        return sizeof in;
    }
    struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(from->port),
                                .sin6_scope_id = from->scope };
    clu_to_in6(from, &in6.sin6_addr);
    memcpy(to, &in6, sizeof in6);
    return sizeof in6;
}

void clu_from_sockaddr(const struct sockaddr *from, clu_address *to)
{
    if (from->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, from, sizeof in);
        clu_from_in(in.sin_addr, to);
        to->port = ntohs(in.sin_port);
    } else if (from->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, from, sizeof in6);
        clu_from_in6(&in6.sin6_addr, to);
        to->port = ntohs(in6.sin6_port);
        if (to->family == 6)
            to->scope = in6.sin6_scope_id;
    } else {
        *to = (clu_address){ 0 };
    }
}

void clu_read_sockaddr(const void *from, size_t length, clu_address *to)
{
    struct sockaddr_storage storage = { 0 };
    memcpy(&storage, from, length < sizeof storage ? length : sizeof storage);
    size_t needed = storage.ss_family == AF_INET ? sizeof(struct sockaddr_in)
                                                 : sizeof(struct sockaddr_in6);
    *to = (clu_address){ 0 };
    if (length >= needed)
        clu_from_sockaddr((const struct sockaddr *)&storage, to);
}
