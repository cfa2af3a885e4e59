#define _GNU_SOURCE
#include "address.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/udp.h>
#include <string.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

enum { MAX_MESSAGES = 64 };

typedef union {
    struct cmsghdr header;
    char room[CMSG_SPACE(sizeof(struct in6_pktinfo)) + CMSG_SPACE(sizeof(uint16_t)) +
              CMSG_SPACE(sizeof(int))];
} control;

static void add(struct msghdr *message, int level, int type, const void *data, size_t length)
{
    char *end = (char *)message->msg_control + message->msg_controllen;
    struct cmsghdr header = { .cmsg_len = CMSG_LEN(length), .cmsg_level = level,
                              .cmsg_type = type };
    memset(end, 0, CMSG_SPACE(length));
    memcpy(end, &header, sizeof header);
    memcpy(end + CMSG_LEN(0), data, length);
    message->msg_controllen += CMSG_SPACE(length);
}

/* Packs destination and source into a message whose storage the caller keeps. */
static int address_message(struct msghdr *message, const clu_route *route,
                           struct sockaddr_storage *name, control *room)
{
    *message = (struct msghdr){ .msg_name = name, .msg_control = room };
    if (route->to.family) {
        message->msg_namelen = clu_to_sockaddr(&route->to, route->socket_family, name);
        if (!message->msg_namelen)
            return -EAFNOSUPPORT;
    } else {
        message->msg_name = NULL;
    }
    if (route->traffic_class) {
        int value = route->traffic_class;
        if (route->socket_family == 4)
            add(message, SOL_IP, IP_TOS, &value, sizeof value);
        else
            add(message, SOL_IPV6, IPV6_TCLASS, &value, sizeof value);
    }
    if (route->from.family || route->interface) {
        if (route->from.family && route->from.family != route->to.family)
            return -EAFNOSUPPORT;
        if (route->socket_family == 4) {
            struct in_pktinfo info = { .ipi_ifindex = (int)route->interface };
            info.ipi_spec_dst.s_addr = htonl((uint32_t)route->from.low);
            add(message, SOL_IP, IP_PKTINFO, &info, sizeof info);
        } else {
            struct in6_pktinfo info = { .ipi6_ifindex = route->interface };
            /* A mapped destination needs a mapped source even if none is given: ::ffff:0.0.0.0. */
            clu_address from = route->from;
            from.family = route->to.family;
            clu_to_in6(&from, &info.ipi6_addr);
            add(message, SOL_IPV6, IPV6_PKTINFO, &info, sizeof info);
        }
    }
    return 0;
}

ssize_t clu_send(int fd, const void *bytes, size_t count, size_t segment, const clu_route *route)
{
    struct sockaddr_storage name;
    struct msghdr message;
    control room;
    int error = address_message(&message, route, &name, &room);
    if (error)
        return error;
    struct iovec vector = { (void *)bytes, count };
    message.msg_iov = &vector;
    message.msg_iovlen = 1;
    if (segment > 0 && segment < count) {
        uint16_t size = (uint16_t)segment;
        if (size != segment)
            return -EMSGSIZE;
        add(&message, SOL_UDP, UDP_SEGMENT, &size, sizeof size);
    }
    if (!message.msg_controllen)
        message.msg_control = NULL;
    ssize_t sent;
    do
        sent = sendmsg(fd, &message, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : sent;
}

ssize_t clu_send_each(int fd, const void *bytes, size_t count, size_t segment,
                      const clu_route *route)
{
    struct sockaddr_storage name;
    struct msghdr model;
    control room;
    struct mmsghdr messages[MAX_MESSAGES];
    struct iovec vectors[MAX_MESSAGES];
    int error = address_message(&model, route, &name, &room);
    if (error)
        return error;
    if (!model.msg_controllen)
        model.msg_control = NULL;
    if (!segment || segment > count)
        segment = count;
    unsigned number = 0;
    for (size_t at = 0; number < MAX_MESSAGES && at < count; number++, at += segment) {
        size_t left = count - at;
        vectors[number] = (struct iovec){ (char *)bytes + at, left < segment ? left : segment };
        messages[number] = (struct mmsghdr){ .msg_hdr = model };
        messages[number].msg_hdr.msg_iov = &vectors[number];
        messages[number].msg_hdr.msg_iovlen = 1;
    }
    int done;
    do
        done = sendmmsg(fd, messages, number, MSG_NOSIGNAL);
    while (done < 0 && errno == EINTR);
    if (done < 0)
        return -errno;
    ssize_t sent = 0;
    for (int i = 0; i < done; i++)
        sent += messages[i].msg_len;
    return sent;
}
