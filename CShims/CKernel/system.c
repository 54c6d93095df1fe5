#define _GNU_SOURCE
#include "CKernel.h"
#include <errno.h>
#include <linux/capability.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

void *chy_reserve(size_t bytes) {
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

void chy_unreserve(void *memory, size_t bytes) { munmap(memory, bytes); }

void chy_advise_huge(void *memory, size_t bytes) { madvise(memory, bytes, MADV_HUGEPAGE); }

void chy_kernel_release(char *text, size_t room, int *major, int *minor) {
    struct utsname u;
    *major = *minor = 0;
    if (room == 0) return;
    text[0] = 0;
    if (uname(&u) != 0) return;
    snprintf(text, room, "%s", u.release);
    if (sscanf(u.release, "%d.%d", major, minor) != 2) *major = *minor = 0;
}

int chy_has_net_admin(void) {
    struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3, .pid = 0 };
    struct __user_cap_data_struct data[2];
    memset(data, 0, sizeof data);
    if (syscall(SYS_capget, &header, data) != 0) return 0;
    return (data[0].effective >> CAP_NET_ADMIN) & 1;
}

int chy_unshare_network(void) {
    if (unshare(CLONE_NEWNET) != 0) return -errno;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return -errno;
    struct ifreq request;
    memset(&request, 0, sizeof request);
    strcpy(request.ifr_name, "lo");
    request.ifr_flags = IFF_UP;
    int result = ioctl(fd, SIOCSIFFLAGS, &request) == 0 ? 0 : -errno;
    close(fd);
    return result;
}

void chy_close(int fd) {
    if (fd >= 0) close(fd);
}
