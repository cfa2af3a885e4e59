#define _GNU_SOURCE
#include "address.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/sock_diag.h>
#include <netinet/udp.h>
#include <string.h>
#include <unistd.h>

#ifndef UDP_GRO
#define UDP_GRO 104
#endif

int clu_socket(int family)
{
    int fd = socket(family == 4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
                    IPPROTO_UDP);
    return fd < 0 ? -errno : fd;
}

int clu_retire(int fd)
{
    /* Sending an address of the Internet over it fails. */
    int nowhere = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (nowhere < 0)
        return -errno;
    int result = dup3(nowhere, fd, O_CLOEXEC) < 0 ? -errno : 0;
    close(nowhere);
    return result;
}

int clu_close(int fd)
{
    return close(fd) ? -errno : 0;
}

int clu_bind(int fd, int socket_family, const clu_address *local)
{
    struct sockaddr_storage storage;
    socklen_t length = clu_to_sockaddr(local, socket_family, &storage);
    if (!length)
        return -EAFNOSUPPORT;
    return bind(fd, (const struct sockaddr *)&storage, length) ? -errno : 0;
}

int clu_connect(int fd, int socket_family, const clu_address *remote)
{
    struct sockaddr_storage storage;
    socklen_t length = clu_to_sockaddr(remote, socket_family, &storage);
    if (!length)
        return -EAFNOSUPPORT;
    return connect(fd, (const struct sockaddr *)&storage, length) ? -errno : 0;
}

int clu_local_address(int fd, clu_address *local)
{
    struct sockaddr_storage storage = { 0 };
    socklen_t length = sizeof storage;
    if (getsockname(fd, (struct sockaddr *)&storage, &length))
        return -errno;
    clu_from_sockaddr((const struct sockaddr *)&storage, local);
    return 0;
}

static const struct { int level, name; } options[] = {
    [CLU_RECEIVE_BUFFER] = { SOL_SOCKET, SO_RCVBUF },
    [CLU_RECEIVE_BUFFER_FORCE] = { SOL_SOCKET, SO_RCVBUFFORCE },
    [CLU_SEND_BUFFER] = { SOL_SOCKET, SO_SNDBUF },
    [CLU_SEND_BUFFER_FORCE] = { SOL_SOCKET, SO_SNDBUFFORCE },
    [CLU_REUSE_PORT] = { SOL_SOCKET, SO_REUSEPORT },
    [CLU_TIMESTAMPS] = { SOL_SOCKET, SO_TIMESTAMPNS },
    [CLU_GRO] = { SOL_UDP, UDP_GRO },
    [CLU_V6_ONLY] = { SOL_IPV6, IPV6_V6ONLY },
    [CLU_PROBE_MTU_4] = { SOL_IP, IP_MTU_DISCOVER },
    [CLU_PROBE_MTU_6] = { SOL_IPV6, IPV6_MTU_DISCOVER },
    [CLU_RECEIVE_ERRORS_4] = { SOL_IP, IP_RECVERR },
    [CLU_RECEIVE_ERRORS_6] = { SOL_IPV6, IPV6_RECVERR },
    [CLU_PACKET_INFO_4] = { SOL_IP, IP_PKTINFO },
    [CLU_PACKET_INFO_6] = { SOL_IPV6, IPV6_RECVPKTINFO },
    [CLU_MTU_4] = { SOL_IP, IP_MTU },
    [CLU_MTU_6] = { SOL_IPV6, IPV6_MTU },
    [CLU_FRAGMENT_4] = { SOL_IP, IP_MTU_DISCOVER },
    [CLU_FRAGMENT_6] = { SOL_IPV6, IPV6_MTU_DISCOVER },
    [CLU_TRAFFIC_CLASS_4] = { SOL_IP, IP_RECVTOS },
    [CLU_TRAFFIC_CLASS_6] = { SOL_IPV6, IPV6_RECVTCLASS },
};

int clu_set_option(int fd, clu_option option, int value)
{
    if (option == CLU_PROBE_MTU_4)
        value = value ? IP_PMTUDISC_PROBE : IP_PMTUDISC_WANT;
    if (option == CLU_PROBE_MTU_6)
        value = value ? IPV6_PMTUDISC_PROBE : IPV6_PMTUDISC_WANT;
    if (option == CLU_FRAGMENT_4)
        value = value ? IP_PMTUDISC_DONT : IP_PMTUDISC_WANT;
    if (option == CLU_FRAGMENT_6)
        value = value ? IPV6_PMTUDISC_DONT : IPV6_PMTUDISC_WANT;
    return setsockopt(fd, options[option].level, options[option].name, &value, sizeof value)
        ? -errno : 0;
}

int clu_get_option(int fd, clu_option option, int *value)
{
    socklen_t length = sizeof *value;
    return getsockopt(fd, options[option].level, options[option].name, value, &length)
        ? -errno : 0;
}

int clu_bind_device(int fd, const char *interface)
{
    return setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, interface, (socklen_t)strlen(interface) + 1)
        ? -errno : 0;
}

int clu_receive_drops(int fd, uint32_t *drops)
{
    uint32_t values[SK_MEMINFO_VARS] = { 0 };
    socklen_t length = sizeof values;
    if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, values, &length))
        return -errno;
    *drops = values[SK_MEMINFO_DROPS];
    return 0;
}
