#define _GNU_SOURCE
#include "clinuxudp.h"
#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { MAX_EVENTS = 64 };

int clu_poller_create(void)
{
    int fd = epoll_create1(EPOLL_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

int clu_poller_change(int poller, clu_change change, int fd, uint32_t interest, uint64_t token)
{
    static const int operations[] = { [CLU_ADD] = EPOLL_CTL_ADD, [CLU_MODIFY] = EPOLL_CTL_MOD,
                                      [CLU_REMOVE] = EPOLL_CTL_DEL };
    struct epoll_event event = { .data.u64 = token };
    if (interest & CLU_READABLE)
        event.events |= EPOLLIN;
    if (interest & CLU_WRITABLE)
        event.events |= EPOLLOUT;
    if (interest & CLU_EDGE)
        event.events |= EPOLLET;
    return epoll_ctl(poller, operations[change], fd, &event) ? -errno : 0;
}

/* Uses epoll_pwait2 if the kernel has it (5.11), else ppoll, which also supports nanoseconds. */
static int wait_precisely(int poller, struct epoll_event *events, int capacity,
                          const struct timespec *timeout)
{
#ifdef SYS_epoll_pwait2
    int count = (int)syscall(SYS_epoll_pwait2, poller, events, capacity, timeout, NULL, (size_t)0);
    if (count >= 0 || errno != ENOSYS)
        return count;
#endif
    struct pollfd inner = { .fd = poller, .events = POLLIN };
    if (ppoll(&inner, 1, timeout, NULL) < 0)
        return -1;
    return epoll_wait(poller, events, capacity, 0);
}

int clu_poller_wait(int poller, clu_event *events, int capacity, int64_t nanoseconds)
{
    struct epoll_event ready[MAX_EVENTS];
    struct timespec timeout = { nanoseconds / 1000000000, nanoseconds % 1000000000 };
    if (capacity > MAX_EVENTS)
        capacity = MAX_EVENTS;
    int count = wait_precisely(poller, ready, capacity, nanoseconds < 0 ? NULL : &timeout);
    if (count < 0)
        return errno == EINTR ? 0 : -errno;
    for (int i = 0; i < count; i++) {
        events[i] = (clu_event){ .token = ready[i].data.u64 };
        if (ready[i].events & EPOLLIN)
            events[i].ready |= CLU_READABLE;
        if (ready[i].events & EPOLLOUT)
            events[i].ready |= CLU_WRITABLE;
        if (ready[i].events & (EPOLLERR | EPOLLHUP))
            events[i].ready |= CLU_FAULT;
    }
    return count;
}

int clu_wake_create(void)
{
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

int clu_wake(int fd)
{
    uint64_t one = 1;
    return write(fd, &one, sizeof one) < 0 && errno != EAGAIN ? -errno : 0;
}

int clu_wake_clear(int fd)
{
    uint64_t count;
    return read(fd, &count, sizeof count) < 0 && errno != EAGAIN ? -errno : 0;
}

int clu_timer_slack(uint64_t nanoseconds)
{
    return prctl(PR_SET_TIMERSLACK, (unsigned long)nanoseconds, 0, 0, 0) ? -errno : 0;
}

int clu_return_blocks(int bytes)
{
    return mallopt(M_MMAP_THRESHOLD, bytes) ? 0 : -EINVAL;
}

static int64_t read_clock(clockid_t clock)
{
    struct timespec time;
    clock_gettime(clock, &time);
    return time.tv_sec * INT64_C(1000000000) + time.tv_nsec;
}

int64_t clu_monotonic(void) { return read_clock(CLOCK_MONOTONIC); }
int64_t clu_realtime(void) { return read_clock(CLOCK_REALTIME); }
int64_t clu_boottime(void) { return read_clock(CLOCK_BOOTTIME); }
