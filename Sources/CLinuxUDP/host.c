#define _GNU_SOURCE
#include "address.h"
#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/timex.h>
#include <unistd.h>

typedef struct {
    struct nlmsghdr header;
    struct rtmsg route;
    char attributes[128];
} route_request;

static void add(route_request *request, unsigned short type, const void *value, size_t length)
{
    struct rtattr *attribute =
        (struct rtattr *)((char *)request + NLMSG_ALIGN(request->header.nlmsg_len));
    attribute->rta_type = type;
    attribute->rta_len = (unsigned short)RTA_LENGTH(length);
    memcpy(RTA_DATA(attribute), value, length);
    request->header.nlmsg_len =
        (uint32_t)(NLMSG_ALIGN(request->header.nlmsg_len) + RTA_ALIGN(attribute->rta_len));
}

static void add_address(route_request *request, unsigned short type, const clu_address *address)
{
    struct sockaddr_storage name;
    int family = address->family == 4 ? AF_INET : AF_INET6;
    if (!clu_to_sockaddr(address, address->family, &name))
        return;
    if (family == AF_INET)
        add(request, type, &((struct sockaddr_in *)&name)->sin_addr, sizeof(struct in_addr));
    else
        add(request, type, &((struct sockaddr_in6 *)&name)->sin6_addr, sizeof(struct in6_addr));
}

static void read_route(struct nlmsghdr *header, clu_found_route *out)
{
    struct rtmsg *route = NLMSG_DATA(header);
    int left = (int)RTM_PAYLOAD(header);
    for (struct rtattr *a = RTM_RTA(route); RTA_OK(a, left); a = RTA_NEXT(a, left)) {
        size_t length = RTA_PAYLOAD(a);
        if (a->rta_type == RTA_OIF && length >= sizeof out->interface) {
            memcpy(&out->interface, RTA_DATA(a), sizeof out->interface);
        } else if (a->rta_type == RTA_GATEWAY && length >= sizeof(struct in_addr)) {
            if (route->rtm_family == AF_INET) {
                struct in_addr in;
                memcpy(&in, RTA_DATA(a), sizeof in);
                clu_from_in(in, &out->gateway);
            } else if (length >= sizeof(struct in6_addr)) {
                struct in6_addr in6;
                memcpy(&in6, RTA_DATA(a), sizeof in6);
                clu_from_in6(&in6, &out->gateway);
            }
        }
    }
}

/*
 * RTM_F_FIB_MATCH: for a socket that is bound to an interface, IPv4 assumes that every destination is
 * on the link if no route has that interface; the flag makes that an error.
 */
int clu_find_route(const clu_address *to, const clu_address *from, uint32_t through,
                   clu_found_route *out)
{
    int is_four = to->family == 4;
    route_request request = {
        .header = { .nlmsg_len = NLMSG_LENGTH(sizeof(struct rtmsg)), .nlmsg_type = RTM_GETROUTE,
                    .nlmsg_flags = NLM_F_REQUEST, .nlmsg_seq = 1 },
        .route = { .rtm_family = is_four ? AF_INET : AF_INET6,
                   .rtm_flags = is_four ? RTM_F_FIB_MATCH : 0,
                   .rtm_dst_len = is_four ? 32 : 128 } };
    add_address(&request, RTA_DST, to);
    if (from->family == to->family) {
        request.route.rtm_src_len = request.route.rtm_dst_len;
        add_address(&request, RTA_SRC, from);
    }
    if (through)
        add(&request, RTA_OIF, &through, sizeof through);
    memset(out, 0, sizeof *out);
    struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (fd < 0)
        return -errno;
    int result = -EIO;
    if (sendto(fd, &request, request.header.nlmsg_len, 0, (const struct sockaddr *)&kernel,
               sizeof kernel) < 0)
        result = -errno;
    else
        for (;;) {
            union {
                struct nlmsghdr header;
                char bytes[4096];
            } room;
            struct sockaddr_nl sender = { 0 };
            socklen_t length = sizeof sender;
            ssize_t got = recvfrom(fd, &room, sizeof room, 0, (struct sockaddr *)&sender, &length);
            if (got < 0 && errno == EINTR)
                continue;
            if (got < 0) {
                result = -errno;
                break;
            }
            if (sender.nl_pid != 0)
                continue;
            if (!NLMSG_OK(&room.header, (int)got))
                break;
            if (room.header.nlmsg_type == NLMSG_ERROR) {
                struct nlmsgerr error = { 0 };
                if (room.header.nlmsg_len >= NLMSG_LENGTH(sizeof error))
                    memcpy(&error, NLMSG_DATA(&room.header), sizeof error);
                result = error.error ? error.error : -EIO;
            } else if (room.header.nlmsg_type == RTM_NEWROUTE &&
                       room.header.nlmsg_len >= NLMSG_LENGTH(sizeof(struct rtmsg))) {
                read_route(&room.header, out);
                result = 0;
            }
            break;
        }
    close(fd);
    return result;
}

int clu_clock_is_synchronised(void)
{
    struct timex state = { 0 };
    if (adjtimex(&state) < 0)
        return -errno;
    return !(state.status & STA_UNSYNC);
}
