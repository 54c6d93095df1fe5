#define _GNU_SOURCE
#include "address.h"
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef IPV6_MULTICAST_ALL
#define IPV6_MULTICAST_ALL 29
#endif

enum {
    // Bytes of the kernel's receive queue: a few hundred beacons.
    receive_buffer = 65536,
};

// Name and carrier of an interface; 0 when it is one that neighbours can be behind.
static int describe(int fd, chy_interface *i) {
    struct ifreq request;
    memset(&request, 0, sizeof request);
    if (!if_indextoname(i->index, request.ifr_name)) return -1;
    memcpy(i->name, request.ifr_name, sizeof i->name);
    if (ioctl(fd, SIOCGIFFLAGS, &request) != 0) return -1;
    const int must = IFF_UP | IFF_MULTICAST, never = IFF_LOOPBACK | IFF_POINTOPOINT;
    int flags = (uint16_t)request.ifr_flags;
    i->running = (flags & IFF_RUNNING) != 0;
    return (flags & must) == must && (flags & never) == 0 ? 0 : -1;
}

// Takes one address of a dump into the list. The addresses of an interface come one after the other.
static int take(int fd, struct nlmsghdr *message, chy_interface *list, int count, int room) {
    static const uint8_t link_local[8] = { 0xfe, 0x80 };
    if (message->nlmsg_type != RTM_NEWADDR || message->nlmsg_len < NLMSG_LENGTH(sizeof(struct ifaddrmsg)))
        return count;
    struct ifaddrmsg *info = NLMSG_DATA(message);
    const uint8_t *ip = NULL;
    uint32_t flags = info->ifa_flags;
    int left = (int)IFA_PAYLOAD(message);
    for (struct rtattr *a = IFA_RTA(info); RTA_OK(a, left); a = RTA_NEXT(a, left)) {
        if (a->rta_type == IFA_ADDRESS && RTA_PAYLOAD(a) == 16) ip = RTA_DATA(a);
        if (a->rta_type == IFA_FLAGS && RTA_PAYLOAD(a) == 4) memcpy(&flags, RTA_DATA(a), 4);
    }
    if (info->ifa_family != AF_INET6 || !ip || memcmp(ip, link_local, 8) != 0) return count;
    if (flags & IFA_F_DADFAILED) return count;
    int usable = (flags & IFA_F_TENTATIVE) == 0 || (flags & IFA_F_OPTIMISTIC) != 0;
    chy_interface *last = count ? &list[count - 1] : NULL;
    if (last && last->index == info->ifa_index) {
        if (!last->usable && usable) {
            memcpy(last->ip, ip, 16);
            last->usable = 1;
        }
        return count;
    }
    chy_interface one;
    memset(&one, 0, sizeof one);
    one.index = info->ifa_index;
    one.usable = usable;
    memcpy(one.ip, ip, 16);
    if (count == room || describe(fd, &one) != 0) return count;
    list[count] = one;
    return count + 1;
}

int chy_multicast_interfaces(chy_interface *list, int room) {
    int result = 0, control = -1;
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (fd < 0) return -errno;
    struct {
        struct nlmsghdr header;
        struct ifaddrmsg body;
    } request;
    memset(&request, 0, sizeof request);
    request.header.nlmsg_len = NLMSG_LENGTH(sizeof request.body);
    request.header.nlmsg_type = RTM_GETADDR;
    request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    request.body.ifa_family = AF_INET6;
    struct sockaddr *kernel = (struct sockaddr *)&(struct sockaddr_nl){ .nl_family = AF_NETLINK };
    control = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (control < 0 || sendto(fd, &request, sizeof request, 0, kernel, sizeof(struct sockaddr_nl)) < 0) {
        result = -errno;
        goto done;
    }
    for (;;) {
        union {
            struct nlmsghdr header;
            char bytes[16384];
        } reply;
        ssize_t n;
        do n = recv(fd, &reply, sizeof reply, 0);
        while (n < 0 && errno == EINTR);
        if (n <= 0) {
            result = n < 0 ? -errno : -EPROTO;
            goto done;
        }
        size_t left = (size_t)n;
        for (struct nlmsghdr *m = &reply.header; NLMSG_OK(m, left); m = NLMSG_NEXT(m, left)) {
            if (m->nlmsg_type == NLMSG_DONE) goto done;
            if (m->nlmsg_type == NLMSG_ERROR) {
                result = m->nlmsg_len >= NLMSG_LENGTH(sizeof(struct nlmsgerr))
                             ? ((struct nlmsgerr *)NLMSG_DATA(m))->error
                             : -EPROTO;
                goto done;
            }
            result = take(control, m, list, result, room);
        }
    }
done:
    if (control >= 0) close(control);
    close(fd);
    return result;
}

int chy_multicast_open(uint16_t port, const char **step) {
    int on = 1, off = 0, room = receive_buffer;
    *step = "socket";
    int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_UDP);
    if (fd < 0) return -errno;
    *step = "IPV6_V6ONLY";
    if (setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) != 0) goto failed;
    // Several nodes of one host each get every multicast datagram.
    *step = "SO_REUSEADDR";
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0) goto failed;
    *step = "SO_REUSEPORT";
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0) goto failed;
    *step = "IPV6_MULTICAST_LOOP";
    if (setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, &off, sizeof off) != 0) goto failed;
    // Only groups that this socket joined, not those of every socket of the host.
    *step = "IPV6_MULTICAST_ALL";
    if (setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_ALL, &off, sizeof off) != 0) goto failed;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    *step = "bind";
    struct sockaddr_in6 any;
    memset(&any, 0, sizeof any);
    any.sin6_family = AF_INET6;
    any.sin6_port = htons(port);
    if (bind(fd, (struct sockaddr *)&any, sizeof any) == 0) return fd;
failed:;
    int error = errno;
    close(fd);
    return -error;
}

static int set_membership(int fd, int option, const uint8_t group[16], uint32_t index) {
    struct ipv6_mreq request;
    memcpy(&request.ipv6mr_multiaddr, group, 16);
    request.ipv6mr_interface = index;
    return setsockopt(fd, IPPROTO_IPV6, option, &request, sizeof request) == 0 ? 0 : -errno;
}

int chy_multicast_join(int fd, const uint8_t group[16], uint32_t index) {
    return set_membership(fd, IPV6_JOIN_GROUP, group, index);
}

int chy_multicast_leave(int fd, const uint8_t group[16], uint32_t index) {
    return set_membership(fd, IPV6_LEAVE_GROUP, group, index);
}

int chy_multicast_send(int fd, const chy_address *to, const uint8_t source[16], const void *bytes, size_t size) {
    struct sockaddr_storage native;
    struct iovec piece = { .iov_base = (void *)bytes, .iov_len = size };
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(struct in6_pktinfo))];
    } control;
    memset(&control, 0, sizeof control);
    struct msghdr message = { .msg_name = &native, .msg_namelen = chy_to_native(to, &native), .msg_iov = &piece,
        .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control };
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = IPPROTO_IPV6;
    header->cmsg_type = IPV6_PKTINFO;
    header->cmsg_len = CMSG_LEN(sizeof(struct in6_pktinfo));
    // The source is named: the kernel would take a global address while the link-local one is not ready.
    struct in6_pktinfo info;
    memset(&info, 0, sizeof info);
    memcpy(&info.ipi6_addr, source, 16);
    info.ipi6_ifindex = to->scope;
    memcpy(CMSG_DATA(header), &info, sizeof info);
    ssize_t n;
    do n = sendmsg(fd, &message, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : 0;
}

int chy_receive_from(int fd, void *bytes, size_t room, chy_address *from) {
    struct sockaddr_storage native;
    memset(&native, 0, sizeof native);
    socklen_t length = sizeof native;
    ssize_t n;
    do n = recvfrom(fd, bytes, room, MSG_DONTWAIT, (struct sockaddr *)&native, &length);
    while (n < 0 && errno == EINTR);
    if (n < 0) return -errno;
    chy_from_native(&native, from);
    return (int)n;
}
