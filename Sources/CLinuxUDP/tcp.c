#define _GNU_SOURCE
#include "address.h"
#include <errno.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

int clu_tcp_socket(int family)
{
    int fd = socket(family == 4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
                    IPPROTO_TCP);
    return fd < 0 ? -errno : fd;
}

int clu_tcp_listen(int fd, int backlog)
{
    return listen(fd, backlog) ? -errno : 0;
}

int clu_tcp_reuse_address(int fd)
{
    int on = 1;
    return setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) ? -errno : 0;
}

int clu_tcp_accept(int fd, clu_address *remote)
{
    struct sockaddr_storage storage = { 0 };
    socklen_t length = sizeof storage;
    int accepted = accept4(fd, (struct sockaddr *)&storage, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (accepted < 0)
        return -errno;
    clu_from_sockaddr((const struct sockaddr *)&storage, remote);
    return accepted;
}

int clu_tcp_tune(int fd)
{
    int on = 1, idle = 120, interval = 30, count = 4;
    if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on)
        || setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on)
        || setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle)
        || setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval)
        || setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof count))
        return -errno;
    return 0;
}

ssize_t clu_tcp_read(int fd, void *bytes, size_t count)
{
    ssize_t result = recv(fd, bytes, count, MSG_DONTWAIT);
    return result < 0 ? -errno : result;
}

ssize_t clu_tcp_write(int fd, const void *bytes, size_t count)
{
    ssize_t result = send(fd, bytes, count, MSG_DONTWAIT | MSG_NOSIGNAL);
    return result < 0 ? -errno : result;
}

int clu_tcp_finish(int fd)
{
    return shutdown(fd, SHUT_WR) ? -errno : 0;
}

int clu_tcp_error(int fd)
{
    int error = 0;
    socklen_t length = sizeof error;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length))
        return -errno;
    return -error;
}

int clu_tcp_reset_on_close(int fd)
{
    struct linger now = { .l_onoff = 1, .l_linger = 0 };
    return setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now) ? -errno : 0;
}
