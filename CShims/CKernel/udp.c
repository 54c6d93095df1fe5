#define _GNU_SOURCE
#include "address.h"
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#ifndef UDP_GRO
#define UDP_GRO 104
#endif
#ifndef IPV6_MTU
#define IPV6_MTU 24
#endif
#ifndef IP_MTU
#define IP_MTU 14
#endif

// FORCE passes net.core.rmem_max and wmem_max, which takes CAP_NET_ADMIN.
static void set_buffer(int fd, int force, int plain, int bytes) {
    if (bytes <= 0) return;
    if (setsockopt(fd, SOL_SOCKET, force, &bytes, sizeof bytes) != 0)
        setsockopt(fd, SOL_SOCKET, plain, &bytes, sizeof bytes);
}

int chy_udp_open(const chy_address *address, const chy_udp_options *o, int *ipv4, int *gro, const char **step) {
    struct sockaddr_storage native;
    socklen_t length = chy_to_native(address, &native);
    int on = 1, off = 0, wanted;
    *ipv4 = chy_is_ipv4(address);
    *gro = 0;
    *step = "socket";
    int fd = socket(native.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_UDP);
    if (fd < 0) return -errno;
    set_buffer(fd, SO_RCVBUFFORCE, SO_RCVBUF, o->receive_buffer);
    set_buffer(fd, SO_SNDBUFFORCE, SO_SNDBUF, o->send_buffer);
    *step = "SO_REUSEPORT";
    if (o->reuse_port && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0) goto failed;
    // Datagrams are never fragmented on the way: the path MTU is the protocol's business.
    *step = "IP_MTU_DISCOVER";
    wanted = IP_PMTUDISC_DO;
    if (setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &wanted, sizeof wanted) != 0) goto failed;
    if (!*ipv4) {
        *step = "IPV6_MTU_DISCOVER";
        wanted = IPV6_PMTUDISC_DO;
        if (setsockopt(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &wanted, sizeof wanted) != 0) goto failed;
        *step = "IPV6_V6ONLY";
        if (setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off) != 0) goto failed;
    }
    *step = "bind";
    // A ring is torn down asynchronously after its process has ended and holds the port for some milliseconds.
    for (int tries = 0; bind(fd, (struct sockaddr *)&native, length) != 0; tries++) {
        if (errno != EADDRINUSE || tries == 50) goto failed;
        usleep(10000);
    }
    if (o->gro && setsockopt(fd, IPPROTO_UDP, UDP_GRO, &on, sizeof on) == 0) *gro = 1;
    return fd;
failed:;
    int error = errno;
    close(fd);
    return -error;
}

static int has_option(int option) {
    int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_UDP);
    if (fd < 0) fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_UDP);
    if (fd < 0) return 0;
    int off = 0, result = setsockopt(fd, IPPROTO_UDP, option, &off, sizeof off) == 0;
    close(fd);
    return result;
}

int chy_udp_has_gro(void) { return has_option(UDP_GRO); }
int chy_udp_has_gso(void) { return has_option(UDP_SEGMENT); }

int chy_path_mtu(const chy_address *address) {
    struct sockaddr_storage native;
    socklen_t length = chy_to_native(address, &native);
    int fd = socket(native.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_UDP);
    if (fd < 0) return -errno;
    int mtu = 0, result;
    socklen_t size = sizeof mtu;
    if (connect(fd, (struct sockaddr *)&native, length) != 0) result = -errno;
    else if (native.ss_family == AF_INET) result = getsockopt(fd, IPPROTO_IP, IP_MTU, &mtu, &size) == 0 ? mtu : -errno;
    else result = getsockopt(fd, IPPROTO_IPV6, IPV6_MTU, &mtu, &size) == 0 ? mtu : -errno;
    close(fd);
    return result;
}
