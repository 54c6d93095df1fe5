#define _GNU_SOURCE
#include "CKernel.h"
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct request {
    struct nlmsghdr header;
    char body[256];
} request;

// Starts a request with its fixed part; `body` stays NLMSG_ALIGNed.
static void *begin(request *r, int type, int flags, size_t size) {
    memset(r, 0, sizeof *r);
    r->header.nlmsg_type = (uint16_t)type;
    r->header.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags);
    r->header.nlmsg_len = NLMSG_LENGTH(size);
    return r->body;
}

static struct rtattr *attribute(request *r, int type, const void *data, size_t size) {
    struct rtattr *a = (struct rtattr *)((char *)r + NLMSG_ALIGN(r->header.nlmsg_len));
    a->rta_type = (uint16_t)type;
    a->rta_len = (uint16_t)RTA_LENGTH(size);
    if (size) memcpy(RTA_DATA(a), data, size);
    r->header.nlmsg_len = NLMSG_ALIGN(r->header.nlmsg_len) + RTA_ALIGN(a->rta_len);
    return a;
}

static void end_nested(request *r, struct rtattr *a) {
    a->rta_len = (uint16_t)((char *)r + r->header.nlmsg_len - (char *)a);
}

// Sends one request and waits for its acknowledgement.
static int exchange(int fd, request *r) {
    struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
    if (sendto(fd, r, r->header.nlmsg_len, 0, (struct sockaddr *)&kernel, sizeof kernel) < 0) return -errno;
    union {
        struct nlmsghdr header;
        char bytes[4096];
    } reply;
    ssize_t n;
    do n = recv(fd, &reply, sizeof reply, 0);
    while (n < 0 && errno == EINTR);
    if (n < 0) return -errno;
    if (!NLMSG_OK(&reply.header, (size_t)n) || reply.header.nlmsg_type != NLMSG_ERROR) return -EPROTO;
    return ((struct nlmsgerr *)NLMSG_DATA(&reply.header))->error;
}

static int set_number(int fd, int index, int type, uint32_t value) {
    request r;
    struct ifinfomsg *info = begin(&r, RTM_NEWLINK, 0, sizeof *info);
    info->ifi_family = AF_UNSPEC;
    info->ifi_index = index;
    attribute(&r, type, &value, sizeof value);
    return exchange(fd, &r);
}

// No link-local address, and with it no router solicitations and multicast reports into the overlay.
static int set_no_link_local(int fd, int index) {
    request r;
    struct ifinfomsg *info = begin(&r, RTM_NEWLINK, 0, sizeof *info);
    info->ifi_family = AF_UNSPEC;
    info->ifi_index = index;
    struct rtattr *spec = attribute(&r, IFLA_AF_SPEC | NLA_F_NESTED, NULL, 0);
    struct rtattr *inet6 = attribute(&r, AF_INET6 | NLA_F_NESTED, NULL, 0);
    uint8_t mode = IN6_ADDR_GEN_MODE_NONE;
    attribute(&r, IFLA_INET6_ADDR_GEN_MODE, &mode, sizeof mode);
    end_nested(&r, inet6);
    end_nested(&r, spec);
    return exchange(fd, &r);
}

static int set_up(int fd, int index) {
    request r;
    struct ifinfomsg *info = begin(&r, RTM_NEWLINK, 0, sizeof *info);
    info->ifi_family = AF_UNSPEC;
    info->ifi_index = index;
    info->ifi_flags = IFF_UP;
    info->ifi_change = IFF_UP;
    return exchange(fd, &r);
}

// The kernel adds the connected route of the address's prefix itself.
static int add_address(int fd, int index, const uint8_t ip[16], int prefix_length) {
    request r;
    struct ifaddrmsg *address = begin(&r, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, sizeof *address);
    address->ifa_family = AF_INET6;
    address->ifa_prefixlen = (uint8_t)prefix_length;
    address->ifa_flags = IFA_F_NODAD;
    address->ifa_scope = RT_SCOPE_UNIVERSE;
    address->ifa_index = (uint32_t)index;
    attribute(&r, IFA_LOCAL, ip, 16);
    attribute(&r, IFA_ADDRESS, ip, 16);
    return exchange(fd, &r);
}

int chy_link_index(const char *name) {
    unsigned index = if_nametoindex(name);
    return index ? (int)index : -ENODEV;
}

int chy_link_configure(int index, const chy_link *link, const char **step) {
    *step = "netlink";
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (fd < 0) return -errno;
    set_no_link_local(fd, index);
    *step = "mtu";
    int result = set_number(fd, index, IFLA_MTU, (uint32_t)link->mtu);
    if (result == 0 && link->gso_max_size > 0) {
        *step = "gso_max_size";
        result = set_number(fd, index, IFLA_GSO_MAX_SIZE, (uint32_t)link->gso_max_size);
    }
    if (result == 0) {
        *step = "up";
        result = set_up(fd, index);
    }
    if (result == 0 && link->ip) {
        *step = "address";
        result = add_address(fd, index, link->ip, link->prefix_length);
    }
    close(fd);
    return result;
}
