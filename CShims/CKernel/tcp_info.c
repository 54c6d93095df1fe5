#include "CKernel.h"
#include <errno.h>
#include <limits.h>
// The C library's own tcp_info ends before the fields that are needed here, and its header does not go with this one.
#include <linux/tcp.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

int chy_tcp_least_rtt(int fd) {
    struct tcp_info info;
    socklen_t length = sizeof info;
    memset(&info, 0, sizeof info);
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) != 0) return -errno;
    // The kernel has all bits set where it measured nothing.
    if (info.tcpi_min_rtt == 0 || info.tcpi_min_rtt > INT_MAX) return -ENODATA;
    return (int)info.tcpi_min_rtt;
}
