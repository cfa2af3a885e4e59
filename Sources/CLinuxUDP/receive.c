#define _GNU_SOURCE
#include "address.h"
#include <arpa/inet.h>
#include <errno.h>
#include <linux/errqueue.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#ifndef UDP_GRO
#define UDP_GRO 104
#endif

typedef union {
    struct cmsghdr header;
    char room[CMSG_SPACE(sizeof(struct in6_pktinfo)) + CMSG_SPACE(sizeof(struct in_pktinfo)) +
              CMSG_SPACE(sizeof(struct timespec)) + 2 * CMSG_SPACE(sizeof(int))];
} control;

struct clu_receiver {
    unsigned messages;
    struct mmsghdr *headers;
    struct iovec *vectors;
    struct sockaddr_in6 *names;
    control *controls;
};

/* The kernel overwrites these fields of each message that it fills. */
static void prepare(clu_receiver *receiver, unsigned i)
{
    struct msghdr *message = &receiver->headers[i].msg_hdr;
    message->msg_name = &receiver->names[i];
    message->msg_namelen = sizeof receiver->names[i];
    message->msg_control = &receiver->controls[i];
    message->msg_controllen = sizeof receiver->controls[i];
    message->msg_flags = 0;
}

clu_receiver *clu_receiver_create(void *bytes, size_t stride, size_t headroom, unsigned messages)
{
    clu_receiver *receiver = calloc(1, sizeof *receiver);
    if (!receiver)
        return NULL;
    receiver->messages = messages;
    receiver->headers = calloc(messages, sizeof *receiver->headers);
    receiver->vectors = calloc(messages, sizeof *receiver->vectors);
    receiver->names = calloc(messages, sizeof *receiver->names);
    receiver->controls = calloc(messages, sizeof *receiver->controls);
    if (!receiver->headers || !receiver->vectors || !receiver->names || !receiver->controls) {
        clu_receiver_destroy(receiver);
        return NULL;
    }
    for (unsigned i = 0; i < messages; i++) {
        receiver->vectors[i] = (struct iovec){ (char *)bytes + i * stride + headroom,
                                               stride - headroom };
        receiver->headers[i].msg_hdr.msg_iov = &receiver->vectors[i];
        receiver->headers[i].msg_hdr.msg_iovlen = 1;
        prepare(receiver, i);
    }
    return receiver;
}

void clu_receiver_destroy(clu_receiver *receiver)
{
    if (!receiver)
        return;
    free(receiver->headers);
    free(receiver->vectors);
    free(receiver->names);
    free(receiver->controls);
    free(receiver);
}

static void read_control(struct msghdr *message, clu_received *out)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
        if (c->cmsg_level == SOL_UDP && c->cmsg_type == UDP_GRO) {
            int size;
            memcpy(&size, CMSG_DATA(c), sizeof size);
            if (size > 0)
                out->segment = (uint32_t)size;
        } else if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS) {
            struct timespec stamp;
            memcpy(&stamp, CMSG_DATA(c), sizeof stamp);
            out->realtime = stamp.tv_sec * INT64_C(1000000000) + stamp.tv_nsec;
        } else if (c->cmsg_level == SOL_IP && c->cmsg_type == IP_PKTINFO) {
            struct in_pktinfo info;
            memcpy(&info, CMSG_DATA(c), sizeof info);
            clu_from_in(info.ipi_addr, &out->local);
            out->interface = (uint32_t)info.ipi_ifindex;
        } else if (c->cmsg_level == SOL_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
            struct in6_pktinfo info;
            memcpy(&info, CMSG_DATA(c), sizeof info);
            clu_from_in6(&info.ipi6_addr, &out->local);
            out->interface = info.ipi6_ifindex;
        } else if (c->cmsg_level == SOL_IP && c->cmsg_type == IP_TOS) {
            memcpy(&out->traffic_class, CMSG_DATA(c), 1);
        } else if (c->cmsg_level == SOL_IPV6 && c->cmsg_type == IPV6_TCLASS) {
            int value;
            memcpy(&value, CMSG_DATA(c), sizeof value);
            out->traffic_class = (uint8_t)value;
        }
    }
}

int clu_receive(clu_receiver *receiver, int fd, clu_received *out)
{
    int count;
    do
        count = recvmmsg(fd, receiver->headers, receiver->messages, MSG_DONTWAIT, NULL);
    while (count < 0 && errno == EINTR);
    if (count < 0)
        return -errno;
    for (int i = 0; i < count; i++) {
        struct msghdr *message = &receiver->headers[i].msg_hdr;
        uint32_t length = receiver->headers[i].msg_len;
        out[i] = (clu_received){ .length = length, .segment = length,
                                 .truncated = (message->msg_flags & MSG_TRUNC) != 0 };
        if (message->msg_namelen > 0)
            clu_from_sockaddr((const struct sockaddr *)&receiver->names[i], &out[i].remote);
        read_control(message, &out[i]);
        prepare(receiver, (unsigned)i);
    }
    return count;
}

int clu_pop_fault(int fd, clu_fault *fault)
{
    union {
        struct cmsghdr header;
        char room[512];
    } room;
    char payload[64];
    struct sockaddr_in6 name = { 0 };
    struct iovec vector = { payload, sizeof payload };
    struct msghdr message = { .msg_name = &name, .msg_namelen = sizeof name, .msg_iov = &vector,
                              .msg_iovlen = 1, .msg_control = &room,
                              .msg_controllen = sizeof room };
    ssize_t got;
    do
        got = recvmsg(fd, &message, MSG_ERRQUEUE | MSG_DONTWAIT);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return errno == EAGAIN ? 0 : -errno;
    *fault = (clu_fault){ 0 };
    if (message.msg_namelen > 0)
        clu_from_sockaddr((const struct sockaddr *)&name, &fault->destination);
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c)) {
        struct {
            struct sock_extended_err error;
            struct sockaddr_in6 offender;
        } entry = { 0 };
        if (!(c->cmsg_level == SOL_IP && c->cmsg_type == IP_RECVERR) &&
            !(c->cmsg_level == SOL_IPV6 && c->cmsg_type == IPV6_RECVERR))
            continue;
        size_t length = c->cmsg_len - CMSG_LEN(0);
        memcpy(&entry, CMSG_DATA(c), length < sizeof entry ? length : sizeof entry);
        fault->error = entry.error.ee_errno;
        fault->mtu = entry.error.ee_errno == EMSGSIZE ? entry.error.ee_info : 0;
        fault->origin = entry.error.ee_origin;
        fault->type = entry.error.ee_type;
        fault->code = entry.error.ee_code;
        clu_from_sockaddr((const struct sockaddr *)&entry.offender, &fault->offender);
    }
    return 1;
}
