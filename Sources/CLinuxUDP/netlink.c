#define _GNU_SOURCE
#include "address.h"
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <unistd.h>

enum { ROOM = 32768 };

/* Netlink messages need four-byte alignment. */
typedef union {
    struct nlmsghdr header;
    char bytes[ROOM];
} buffer;

int clu_netlink_open(void)
{
    struct sockaddr_nl name = { .nl_family = AF_NETLINK };
    name.nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE |
                     RTMGRP_IPV6_ROUTE;
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (fd < 0)
        return -errno;
    if (bind(fd, (const struct sockaddr *)&name, sizeof name)) {
        int error = errno;
        close(fd);
        return -error;
    }
    return fd;
}

static int kind_of(unsigned type)
{
    switch (type) {
    case RTM_NEWLINK: case RTM_DELLINK: return CLU_LINK_CHANGED;
    case RTM_NEWADDR: case RTM_DELADDR: return CLU_ADDRESS_CHANGED;
    case RTM_NEWROUTE: case RTM_DELROUTE: return CLU_ROUTE_CHANGED;
    default: return 0;
    }
}

/* Only messages of the kernel count: other processes can send to a netlink socket too. */
static ssize_t read_kernel(int fd, buffer *room, int flags)
{
    for (;;) {
        struct sockaddr_nl sender = { 0 };
        struct iovec vector = { room, sizeof *room };
        struct msghdr message = { .msg_name = &sender, .msg_namelen = sizeof sender,
                                  .msg_iov = &vector, .msg_iovlen = 1 };
        ssize_t got = recvmsg(fd, &message, flags);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        if (sender.nl_pid == 0)
            return got;
    }
}

int clu_netlink_read(int fd)
{
    buffer room;
    int changes = 0;
    for (;;) {
        ssize_t got = read_kernel(fd, &room, MSG_DONTWAIT);
        if (got == -EAGAIN)
            return changes;
        if (got == -ENOBUFS) {
            changes |= CLU_OVERRUN;
            continue;
        }
        if (got < 0)
            return (int)got;
        struct nlmsghdr *header = &room.header;
        for (int left = (int)got; NLMSG_OK(header, left); header = NLMSG_NEXT(header, left))
            changes |= kind_of(header->nlmsg_type);
    }
}

/* The NLMSG and RTA macros count down int lengths; a negative length must end the loop. */

/* Calls `take` for each message of a dump. */
static int dump(unsigned type, size_t length, void (*take)(struct nlmsghdr *, void *),
                void *context)
{
    struct {
        struct nlmsghdr header;
        struct ifinfomsg body;
    } request = { .header = { .nlmsg_len = (uint32_t)NLMSG_LENGTH(length),
                              .nlmsg_type = (uint16_t)type,
                              .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP, .nlmsg_seq = 1 } };
    struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
    buffer room;
    int result = 1;
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (fd < 0)
        return -errno;
    if (sendto(fd, &request, request.header.nlmsg_len, 0, (const struct sockaddr *)&kernel,
               sizeof kernel) < 0)
        result = -errno;
    while (result == 1) {
        ssize_t got = read_kernel(fd, &room, 0);
        if (got <= 0) {
            result = got < 0 ? (int)got : -EIO;
            break;
        }
        struct nlmsghdr *header = &room.header;
        for (int left = (int)got; NLMSG_OK(header, left); header = NLMSG_NEXT(header, left)) {
            if (header->nlmsg_flags & NLM_F_DUMP_INTR)
                result = -EINTR;
            if (header->nlmsg_type == NLMSG_DONE) {
                result = result == 1 ? 0 : result;
                break;
            }
            if (header->nlmsg_type == NLMSG_ERROR) {
                struct nlmsgerr error = { 0 };
                if (header->nlmsg_len >= NLMSG_LENGTH(sizeof error))
                    memcpy(&error, NLMSG_DATA(header), sizeof error);
                result = error.error ? error.error : -EIO;
                break;
            }
            take(header, context);
        }
    }
    close(fd);
    return result;
}

/* A change during a dump makes it inconsistent, so it is repeated a few times. */
static int dump_consistently(unsigned type, size_t length,
                             void (*take)(struct nlmsghdr *, void *), void *context, int *count)
{
    int result = -EINTR;
    for (int i = 0; i < 5 && result == -EINTR; i++) {
        *count = 0;
        result = dump(type, length, take, context);
    }
    return result == 0 || result == -EINTR ? *count : result;
}

typedef struct {
    clu_interface *out;
    int capacity, count;
} interface_list;

static void take_interface(struct nlmsghdr *header, void *context)
{
    interface_list *list = context;
    struct ifinfomsg *info = NLMSG_DATA(header);
    if (header->nlmsg_type != RTM_NEWLINK || header->nlmsg_len < NLMSG_LENGTH(sizeof *info))
        return;
    clu_interface found = { .index = (uint32_t)info->ifi_index,
                            .up = (info->ifi_flags & IFF_UP) != 0,
                            .carrier = (info->ifi_flags & IFF_RUNNING) != 0,
                            .loopback = (info->ifi_flags & IFF_LOOPBACK) != 0,
                            .point_to_point = (info->ifi_flags & IFF_POINTOPOINT) != 0 };
    int left = (int)IFLA_PAYLOAD(header);
    for (struct rtattr *a = IFLA_RTA(info); RTA_OK(a, left); a = RTA_NEXT(a, left)) {
        size_t length = RTA_PAYLOAD(a);
        if (a->rta_type == IFLA_IFNAME)
            memcpy(found.name, RTA_DATA(a),
                   length < sizeof found.name ? length : sizeof found.name - 1);
        else if (a->rta_type == IFLA_MTU && length >= sizeof found.mtu)
            memcpy(&found.mtu, RTA_DATA(a), sizeof found.mtu);
    }
    if (list->count < list->capacity)
        list->out[list->count] = found;
    list->count++;
}

int clu_list_interfaces(clu_interface *out, int capacity)
{
    interface_list list = { out, capacity, 0 };
    return dump_consistently(RTM_GETLINK, sizeof(struct ifinfomsg), take_interface, &list,
                             &list.count);
}

typedef struct {
    clu_interface_address *out;
    int capacity, count;
} address_list;

static int read_address(int family, struct rtattr *attribute, clu_address *to)
{
    size_t length = RTA_PAYLOAD(attribute);
    if (family == AF_INET && length >= sizeof(struct in_addr)) {
        struct in_addr in;
        memcpy(&in, RTA_DATA(attribute), sizeof in);
        clu_from_in(in, to);
        return 1;
    }
    if (family == AF_INET6 && length >= sizeof(struct in6_addr)) {
        struct in6_addr in6;
        memcpy(&in6, RTA_DATA(attribute), sizeof in6);
        clu_from_in6(&in6, to);
        return 1;
    }
    return 0;
}

static void take_address(struct nlmsghdr *header, void *context)
{
    address_list *list = context;
    struct ifaddrmsg *info = NLMSG_DATA(header);
    if (header->nlmsg_type != RTM_NEWADDR || header->nlmsg_len < NLMSG_LENGTH(sizeof *info))
        return;
    uint32_t flags = info->ifa_flags;
    int has_address = 0, has_local = 0;
    clu_interface_address found = { .interface = info->ifa_index, .prefix = info->ifa_prefixlen };
    int left = (int)IFA_PAYLOAD(header);
    for (struct rtattr *a = IFA_RTA(info); RTA_OK(a, left); a = RTA_NEXT(a, left)) {
        /* On a point-to-point link IFA_ADDRESS is the peer's address and IFA_LOCAL our own. */
        if (a->rta_type == IFA_LOCAL)
            has_local = read_address(info->ifa_family, a, &found.address);
        else if (a->rta_type == IFA_ADDRESS && !has_local)
            has_address = read_address(info->ifa_family, a, &found.address);
        else if (a->rta_type == IFA_FLAGS && RTA_PAYLOAD(a) >= sizeof flags)
            memcpy(&flags, RTA_DATA(a), sizeof flags);
    }
    if (!has_address && !has_local)
        return;
    found.temporary = info->ifa_family == AF_INET6 && (flags & IFA_F_TEMPORARY);
    found.usable = !(flags & (IFA_F_DADFAILED | IFA_F_DEPRECATED)) &&
                   (!(flags & IFA_F_TENTATIVE) || (flags & IFA_F_OPTIMISTIC));
    if (info->ifa_scope == RT_SCOPE_LINK && found.address.family == 6)
        found.address.scope = info->ifa_index;
    if (list->count < list->capacity)
        list->out[list->count] = found;
    list->count++;
}

int clu_list_addresses(clu_interface_address *out, int capacity)
{
    address_list list = { out, capacity, 0 };
    return dump_consistently(RTM_GETADDR, sizeof(struct ifaddrmsg), take_address, &list,
                             &list.count);
}
