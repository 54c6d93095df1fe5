#define _GNU_SOURCE
#include "address.h"
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

static const uint8_t mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

int chy_is_ipv4(const chy_address *a) { return memcmp(a->ip, mapped, sizeof mapped) == 0; }

socklen_t chy_to_native(const chy_address *a, struct sockaddr_storage *s) {
    memset(s, 0, sizeof *s);
    if (chy_is_ipv4(a)) {
        struct sockaddr_in *v4 = (struct sockaddr_in *)s;
        v4->sin_family = AF_INET;
        v4->sin_port = htons(a->port);
        memcpy(&v4->sin_addr, a->ip + 12, 4);
        return sizeof *v4;
    }
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)s;
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(a->port);
    v6->sin6_scope_id = a->scope;
    memcpy(&v6->sin6_addr, a->ip, 16);
    return sizeof *v6;
}

void chy_from_native(const struct sockaddr_storage *s, chy_address *a) {
    memset(a, 0, sizeof *a);
    if (s->ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)s;
        memcpy(a->ip, mapped, sizeof mapped);
        memcpy(a->ip + 12, &v4->sin_addr, 4);
        a->port = ntohs(v4->sin_port);
    } else {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)s;
        memcpy(a->ip, &v6->sin6_addr, 16);
        a->port = ntohs(v6->sin6_port);
        a->scope = v6->sin6_scope_id;
    }
}

int chy_socket_address(int fd, chy_address *address) {
    struct sockaddr_storage native;
    socklen_t length = sizeof native;
    memset(&native, 0, sizeof native);
    if (getsockname(fd, (struct sockaddr *)&native, &length) != 0) return -errno;
    chy_from_native(&native, address);
    return 0;
}
