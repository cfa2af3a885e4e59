#ifndef PATHWISE_CLINUXUDP_H
#define PATHWISE_CLINUXUDP_H

/*
 * Linux socket calls that Swift cannot make itself: control messages, multi-message calls, the error
 * queue, netlink, TCP. There is no policy here: each function packs arguments and makes one or two
 * system calls.
 *
 * Functions that return int or ssize_t return -errno on failure.
 */

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* An address as numbers in host order; family is 4, 6, or 0 for none. */
typedef struct {
    uint64_t high, low;
    uint32_t scope;
    uint16_t port;
    uint8_t family;
} clu_address;

/* ---- sockets: socket.c ---- */

/* Opens a UDP socket, non-blocking, closed on exec. */
int clu_socket(int family);
/* Closes the socket behind a descriptor, which stays valid and leads nowhere. */
int clu_retire(int fd);
int clu_close(int fd);
int clu_bind(int fd, int socket_family, const clu_address *local);
int clu_connect(int fd, int socket_family, const clu_address *remote);
int clu_local_address(int fd, clu_address *local);
/* Reads a struct sockaddr of another system interface; family 0 if it is too short. */
void clu_read_sockaddr(const void *from, size_t length, clu_address *to);

typedef enum {
    CLU_RECEIVE_BUFFER, CLU_RECEIVE_BUFFER_FORCE, CLU_SEND_BUFFER, CLU_SEND_BUFFER_FORCE,
    CLU_REUSE_PORT, CLU_TIMESTAMPS, CLU_GRO, CLU_V6_ONLY,
    CLU_PROBE_MTU_4, CLU_PROBE_MTU_6,   /* IP_PMTUDISC_PROBE: don't fragment, ignore the cache */
    CLU_RECEIVE_ERRORS_4, CLU_RECEIVE_ERRORS_6, CLU_PACKET_INFO_4, CLU_PACKET_INFO_6,
    CLU_MTU_4, CLU_MTU_6,               /* MTU of a connected socket's route; read-only */
    CLU_FRAGMENT_4, CLU_FRAGMENT_6,     /* IP_PMTUDISC_DONT: large datagrams are fragmented */
    CLU_TRAFFIC_CLASS_4, CLU_TRAFFIC_CLASS_6    /* report the traffic class of what arrives */
} clu_option;
int clu_set_option(int fd, clu_option option, int value);
int clu_get_option(int fd, clu_option option, int *value);
int clu_bind_device(int fd, const char *interface);
/* Datagrams that the kernel dropped because the receive buffer was full, since it was opened. */
int clu_receive_drops(int fd, uint32_t *drops);

/* ---- sending: send.c ---- */

/*
 * The route of datagrams. With from.family 0 and interface 0 the kernel chooses the source.
 * socket_family is the family of the socket: an IPv6 socket sends to mapped IPv4 addresses.
 */
typedef struct {
    clu_address to, from;           /* to.family 0: where the socket is connected to */
    uint32_t interface;
    int socket_family;
    uint8_t traffic_class;          /* DSCP and ECN */
} clu_route;

/* One sendmsg; with 0 < segment < count as one UDP_SEGMENT batch. Returns the bytes sent. */
ssize_t clu_send(int fd, const void *bytes, size_t count, size_t segment, const clu_route *route);
/* One sendmmsg of up to 64 datagrams of `segment` bytes. Returns the bytes sent. */
ssize_t clu_send_each(int fd, const void *bytes, size_t count, size_t segment,
                      const clu_route *route);

/* ---- receiving: receive.c ---- */

typedef struct {
    clu_address remote, local;      /* local has no port; family 0 if the kernel did not say */
    int64_t realtime;               /* kernel receive stamp, ns since 1970; 0 if there is none */
    uint32_t interface;
    uint32_t length;
    uint32_t segment;               /* bytes of each joined datagram (GRO); the last may be less */
    uint32_t truncated;
    uint8_t traffic_class;          /* DSCP and ECN; 0 if the socket was not asked for it */
} clu_received;

/* The message headers of a recvmmsg, kept between calls. */
typedef struct clu_receiver clu_receiver;
/*
 * Message i is received into bytes[i * stride + headroom ..< (i + 1) * stride]; the caller owns the
 * bytes.
 */
clu_receiver *clu_receiver_create(void *bytes, size_t stride, size_t headroom, unsigned messages);
void clu_receiver_destroy(clu_receiver *receiver);
/* One non-blocking recvmmsg. Returns the number of messages, which `out` describes. */
int clu_receive(clu_receiver *receiver, int fd, clu_received *out);

typedef struct {
    clu_address destination;        /* where the datagram in question was sent */
    clu_address offender;           /* who reported it; family 0 if it was this host */
    uint32_t error;                 /* errno */
    uint32_t mtu;                   /* with EMSGSIZE: the MTU reported */
    uint8_t origin, type, code;     /* SO_EE_ORIGIN_*, ICMP type and code */
} clu_fault;
/* Pops the error queue; returns 1 if there was an entry, 0 if it is empty. */
int clu_pop_fault(int fd, clu_fault *fault);

/* ---- TCP: tcp.c ---- */

/* Opens a TCP socket, non-blocking, closed on exec. */
int clu_tcp_socket(int family);
int clu_tcp_reuse_address(int fd);
int clu_tcp_listen(int fd, int backlog);
int clu_tcp_accept(int fd, clu_address *remote);
/* TCP_NODELAY; SO_KEEPALIVE after 120 s, four times in 30 s each. */
int clu_tcp_tune(int fd);
ssize_t clu_tcp_read(int fd, void *bytes, size_t count);
ssize_t clu_tcp_write(int fd, const void *bytes, size_t count);
/* Ends the sending half. */
int clu_tcp_finish(int fd);
/* The pending error as -errno; 0 without one. */
int clu_tcp_error(int fd);
/* Lets close() send a reset and drop what is unsent. */
int clu_tcp_reset_on_close(int fd);

/* ---- waiting: poll.c ---- */

/* CLU_EDGE: events are told once, when they happen. */
enum { CLU_READABLE = 1, CLU_WRITABLE = 2, CLU_FAULT = 4, CLU_EDGE = 8 };
typedef struct {
    uint64_t token;
    uint32_t ready;
} clu_event;

int clu_poller_create(void);
typedef enum { CLU_ADD, CLU_MODIFY, CLU_REMOVE } clu_change;
int clu_poller_change(int poller, clu_change change, int fd, uint32_t interest, uint64_t token);
/* Waits at most `nanoseconds`, or for ever if negative. Returns 0 events on time-out or signal. */
int clu_poller_wait(int poller, clu_event *events, int capacity, int64_t nanoseconds);
int clu_wake_create(void);
int clu_wake(int fd);
int clu_wake_clear(int fd);
/* Lets timers of the calling thread fire this late at most; the default is 50 us. */
int clu_timer_slack(uint64_t nanoseconds);
/* Lets the C library give blocks of at least so many bytes back to the system when they are freed. */
int clu_return_blocks(int bytes);
int64_t clu_monotonic(void);
int64_t clu_realtime(void);
int64_t clu_boottime(void);

/* ---- interfaces: netlink.c ---- */

enum { CLU_LINK_CHANGED = 1, CLU_ADDRESS_CHANGED = 2, CLU_ROUTE_CHANGED = 4, CLU_OVERRUN = 8 };
/* Opens a netlink socket that is notified of changes to links, addresses and routes. */
int clu_netlink_open(void);
/* Reads all pending messages; returns the set of changes, 0 if there are none. */
int clu_netlink_read(int fd);

typedef struct {
    uint32_t index, mtu;
    uint8_t up, carrier, loopback, point_to_point;
    char name[16];
} clu_interface;
typedef struct {
    clu_address address;
    uint32_t interface;
    uint8_t prefix, temporary, usable;  /* usable: not tentative, failed or deprecated */
} clu_interface_address;
/*
 * Lists what exists; returns the number of entries, of which at most `capacity` were written.
 */
int clu_list_interfaces(clu_interface *out, int capacity);
int clu_list_addresses(clu_interface_address *out, int capacity);

/* ---- the host: host.c ---- */

typedef struct {
    clu_address gateway;            /* family 0 if the destination is on the link */
    uint32_t interface;
} clu_found_route;
/*
 * The route that the kernel would take to an address, from a source (family 0 for any) and through
 * an interface (0 for any).
 */
int clu_find_route(const clu_address *to, const clu_address *from, uint32_t through,
                   clu_found_route *out);
/* Whether the clock follows a time server; 0 or 1. */
int clu_clock_is_synchronised(void);

#endif
