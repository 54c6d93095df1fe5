#define _GNU_SOURCE
#include "address.h"
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

enum {
    // Milliseconds that written bytes, or probes of a closed window, may stay unanswered.
    user_timeout = 12000,
    // Bytes that the kernel holds before it has sent them once, until chy_tcp_unsent says otherwise; what else waits is
    // the caller's to order and to drop.
    // The size of the kernel's queue is left to the kernel: a fixed one would limit long fast paths.
    unsent = 131072,
    backlog = 1024,
};

static int set_options(int fd, const char **step) {
    int on = 1, timeout = user_timeout, low = unsent;
    *step = "TCP_NODELAY";
    if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0) return -1;
    *step = "TCP_USER_TIMEOUT";
    if (setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout, sizeof timeout) != 0) return -1;
    *step = "TCP_NOTSENT_LOWAT";
    return setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &low, sizeof low);
}

int chy_tcp_listen(const chy_address *address, int reuse_port, const char **step) {
    struct sockaddr_storage native;
    socklen_t length = chy_to_native(address, &native);
    int on = 1, off = 0;
    *step = "socket";
    int fd = socket(native.ss_family, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP);
    if (fd < 0) return -errno;
    // Connections of an earlier run that the kernel still remembers do not hold the port.
    *step = "SO_REUSEADDR";
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0) goto failed;
    *step = "SO_REUSEPORT";
    if (reuse_port && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0) goto failed;
    *step = "IPV6_V6ONLY";
    if (native.ss_family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off) != 0) goto failed;
    if (set_options(fd, step) != 0) goto failed;
    *step = "bind";
    // A ring is torn down asynchronously after its process has ended and holds the port for some milliseconds.
    for (int tries = 0; bind(fd, (struct sockaddr *)&native, length) != 0; tries++) {
        if (errno != EADDRINUSE || tries == 50) goto failed;
        usleep(10000);
    }
    *step = "listen";
    if (listen(fd, backlog) == 0) return fd;
failed:;
    int error = errno;
    close(fd);
    return -error;
}

int chy_tcp_open(const chy_address *address, void *name, uint32_t *length) {
    struct sockaddr_storage native;
    const char *step;
    *length = chy_to_native(address, &native);
    memcpy(name, &native, *length);
    // Not O_NONBLOCK: the ring would then report EAGAIN instead of waiting.
    int fd = socket(native.ss_family, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP);
    if (fd < 0) return -errno;
    if (set_options(fd, &step) == 0) return fd;
    int error = errno;
    close(fd);
    return -error;
}

int chy_tcp_ends(int fd, chy_address *local, chy_address *remote) {
    struct sockaddr_storage native;
    socklen_t length = sizeof native;
    memset(&native, 0, sizeof native);
    if (getpeername(fd, (struct sockaddr *)&native, &length) != 0) return -errno;
    chy_from_native(&native, remote);
    return chy_socket_address(fd, local);
}

int chy_tcp_rtt(int fd) {
    struct tcp_info info;
    socklen_t length = sizeof info;
    memset(&info, 0, sizeof info);
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) != 0) return -errno;
    return (int)(info.tcpi_rtt & 0x7fffffff);
}

int chy_tcp_unsent(int fd, uint32_t bytes) {
    return setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &bytes, sizeof bytes) == 0 ? 0 : -errno;
}

void chy_tcp_close(int fd, int reset) {
    if (reset) {
        struct linger at_once = { .l_onoff = 1, .l_linger = 0 };
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    } else {
        shutdown(fd, SHUT_WR);
        // A socket closed with bytes unread answers with RST, and the peer may lose what was written last.
        for (int i = 0; i < 16; i++)
            if (recv(fd, NULL, 1 << 20, MSG_DONTWAIT | MSG_TRUNC) <= 0) break;
    }
    close(fd);
}
