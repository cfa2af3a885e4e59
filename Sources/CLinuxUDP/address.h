#ifndef PATHWISE_CLINUXUDP_ADDRESS_H
#define PATHWISE_CLINUXUDP_ADDRESS_H

#include "clinuxudp.h"
#include <netinet/in.h>
#include <sys/socket.h>

/* Returns the length of the address, or 0 if a socket of this family cannot use it. */
socklen_t clu_to_sockaddr(const clu_address *from, int socket_family, struct sockaddr_storage *to);
void clu_from_sockaddr(const struct sockaddr *from, clu_address *to);
void clu_from_in(struct in_addr from, clu_address *to);
void clu_from_in6(const struct in6_addr *from, clu_address *to);
void clu_to_in6(const clu_address *from, struct in6_addr *to);

#endif
