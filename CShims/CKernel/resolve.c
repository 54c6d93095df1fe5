#define _GNU_SOURCE
#include "CKernel.h"
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

int chy_resolve(const char *host, uint16_t port, chy_address *addresses, int room) {
    struct addrinfo hints, *list = NULL;
    memset(&hints, 0, sizeof hints);
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_DGRAM;
    // EAI codes are negative in glibc and musl.
    int code = getaddrinfo(host, NULL, &hints, &list);
    if (code != 0) return code;
    int count = 0;
    for (struct addrinfo *a = list; a && count < room; a = a->ai_next) {
        chy_address *out = &addresses[count];
        memset(out, 0, sizeof *out);
        out->port = port;
        if (a->ai_family == AF_INET6) {
            const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)a->ai_addr;
            memcpy(out->ip, &v6->sin6_addr, 16);
            out->scope = v6->sin6_scope_id;
        } else if (a->ai_family == AF_INET) {
            const struct sockaddr_in *v4 = (const struct sockaddr_in *)a->ai_addr;
            out->ip[10] = out->ip[11] = 0xff;
            memcpy(out->ip + 12, &v4->sin_addr, 4);
        } else {
            continue;
        }
        count++;
    }
    freeaddrinfo(list);
    return count;
}

const char *chy_resolve_text(int code) { return gai_strerror(code); }
