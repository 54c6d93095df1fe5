#define _GNU_SOURCE
#include "CKernel.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

// Since Linux 6.2; both bits go together, one alone is refused.
#define USO_BITS 0x60

int chy_tun_open(char *name, int multi_queue, const char **step) {
    *step = "open";
    int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
    if (fd < 0) return -errno;
    struct ifreq request;
    memset(&request, 0, sizeof request);
    request.ifr_flags = (short)(IFF_TUN | IFF_NO_PI | IFF_VNET_HDR | (multi_queue ? IFF_MULTI_QUEUE : 0));
    strncpy(request.ifr_name, name, IFNAMSIZ - 1);
    *step = "TUNSETIFF";
    // A ring is torn down asynchronously after its process has ended and holds the device for some milliseconds.
    for (int tries = 0; ioctl(fd, TUNSETIFF, &request) != 0; tries++) {
        if (errno != EBUSY || tries == 50) goto failed;
        usleep(10000);
    }
    *step = "TUNSETVNETHDRSZ";
    int size = sizeof(struct virtio_net_hdr);
    if (ioctl(fd, TUNSETVNETHDRSZ, &size) != 0) goto failed;
    memcpy(name, request.ifr_name, CHY_NAME_SIZE);
    return fd;
failed:;
    int error = errno;
    close(fd);
    return -error;
}

int chy_tun_offload(int fd, int wanted) {
    const int ladder[] = { CHY_TUN_CSUM | CHY_TUN_TSO | CHY_TUN_USO, CHY_TUN_CSUM | CHY_TUN_TSO, CHY_TUN_CSUM, 0 };
    for (unsigned i = 0; i < sizeof ladder / sizeof *ladder; i++) {
        int set = ladder[i] & wanted;
        unsigned long bits = (set & CHY_TUN_CSUM ? TUN_F_CSUM : 0) | (set & CHY_TUN_TSO ? TUN_F_TSO4 | TUN_F_TSO6 : 0)
            | (set & CHY_TUN_USO ? USO_BITS : 0);
        if (ioctl(fd, TUNSETOFFLOAD, bits) == 0) return set;
    }
    return 0;
}
