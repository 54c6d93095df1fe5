// Kernel calls that Swift cannot express: GNU-only calls, variadics, ioctl and netlink records.
// Calls that can fail return 0 or a descriptor on success and -errno on failure, unless said otherwise.
// No feature macro is defined here: the importing module has its own set of system headers.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CHY_INLINE static inline __attribute__((always_inline))

// ---- Clocks -------------------------------------------------------------------------------------------------------

// CLOCK_MONOTONIC in nanoseconds.
CHY_INLINE uint64_t chy_monotonic(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

// CLOCK_REALTIME in whole seconds since 1970.
CHY_INLINE uint64_t chy_wall_seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec;
}

// Tells the core that this is a spin loop.
CHY_INLINE void chy_pause(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

// ---- Threads ------------------------------------------------------------------------------------------------------

// Binds the calling thread to one core.
int chy_thread_pin(int cpu);
// Names the calling thread; more than 15 bytes are cut off.
void chy_thread_name(const char *name);
// Cores that the process may run on, ascending; returns how many were written.
int chy_usable_cpus(int *cpus, int room);

// Reads a number that the kernel changes behind the compiler's back.
CHY_INLINE uint32_t chy_load_relaxed(const uint32_t *number) { return __atomic_load_n(number, __ATOMIC_RELAXED); }

// ---- Memory -------------------------------------------------------------------------------------------------------

// Zeroed memory without swap reservation, page-aligned; NULL when the address space or a limit refuses.
void *chy_reserve(size_t bytes);
void chy_unreserve(void *memory, size_t bytes);
// Asks for huge pages; a refusal has no effect.
void chy_advise_huge(void *memory, size_t bytes);

// ---- System -------------------------------------------------------------------------------------------------------

// The kernel's release string, zero-terminated, and its first two numbers.
void chy_kernel_release(char *text, size_t room, int *major, int *minor);
// 1 when the calling thread has CAP_NET_ADMIN in its network namespace.
int chy_has_net_admin(void);
// Moves the calling thread into a new network namespace of its own and brings its loopback up.
int chy_unshare_network(void);

// ---- Events -------------------------------------------------------------------------------------------------------

// A blocking eventfd with count 0.
int chy_event_open(void);
void chy_event_signal(int fd);
// Reads the count away; blocks when it is 0.
void chy_event_drain(int fd);

// Blocks the signals in the calling thread and every thread it creates from now on.
int chy_signals_block(const int *signals, int count);
// A non-blocking signalfd for the (blocked) signals.
int chy_signals_open(const int *signals, int count);
// The next pending signal number, 0 when there is none.
int chy_signals_take(int fd);

#define CHY_WOKEN 1
#define CHY_SIGNAL 2
#define CHY_READABLE 4
#define CHY_OTHERS 8
// Sleeps until the eventfd (drained then), the signalfd or one of `count` other descriptors is readable or the time is
// over; fd -1 is left out, and others past CHY_OTHERS. nanoseconds < 0 waits without end. Returns a set of CHY_WOKEN,
// CHY_SIGNAL and CHY_READABLE (one of the others has data or an error to read).
int chy_wait(int event_fd, int signal_fd, const int *others, int count, int64_t nanoseconds);

// Closes a descriptor; -1 is left out.
void chy_close(int fd);

// ---- Addresses and UDP --------------------------------------------------------------------------------------------

// IPv6 or mapped IPv4 address in network order, port in host order, interface index of a link-local address.
typedef struct chy_address {
    uint8_t ip[16];
    uint32_t scope;
    uint16_t port;
} chy_address;

typedef struct chy_udp_options {
    int reuse_port;      // several sockets share the port
    int gro;             // ask for UDP_GRO
    int receive_buffer;  // bytes, past the system's limit where permitted
    int send_buffer;
} chy_udp_options;

// A bound UDP socket. Mapped IPv4 addresses give an AF_INET socket (*ipv4 = 1), others an AF_INET6 socket that is
// dual-stack when the address is [::]. The don't-fragment bit is set on everything it sends.
// *step names the call that failed.
int chy_udp_open(const chy_address *address, const chy_udp_options *options, int *ipv4, int *gro, const char **step);
// The socket's own address.
int chy_socket_address(int fd, chy_address *address);
// 1 when the kernel has UDP_GRO (UDP_SEGMENT), 0 when not.
int chy_udp_has_gro(void);
int chy_udp_has_gso(void);
// The IP MTU that the kernel knows towards the address.
int chy_path_mtu(const chy_address *address);

// ---- TCP ----------------------------------------------------------------------------------------------------------

// A socket that listens; addresses as in chy_udp_open. Connections it accepts inherit the options of chy_tcp_open.
int chy_tcp_listen(const chy_address *address, int reuse_port, const char **step);
// An unconnected socket towards the address, with TCP_NODELAY, TCP_USER_TIMEOUT and TCP_NOTSENT_LOWAT set. The native
// form of the address goes to name (28 bytes) and its length to *length.
int chy_tcp_open(const chy_address *address, void *name, uint32_t *length);
// Both ends of a connection.
int chy_tcp_ends(int fd, chy_address *local, chy_address *remote);
// The smoothed round-trip time in microseconds.
int chy_tcp_rtt(int fd);
// Bytes that the kernel may hold of it and has not sent once. 0 or -errno.
int chy_tcp_unsent(int fd, uint32_t bytes);
// The shortest one of the last net.ipv4.tcp_min_rtt_wlen seconds (300), or -ENODATA before the first.
int chy_tcp_least_rtt(int fd);
// Ends a connection with FIN behind everything written, or with RST (reset = 1).
void chy_tcp_close(int fd, int reset);

// ---- Multicast on the local network -------------------------------------------------------------------------------

#define CHY_NAME_SIZE 16

typedef struct chy_interface {
    char name[CHY_NAME_SIZE];
    uint8_t ip[16];  // its first usable address in fe80::/64, else its first one there
    uint32_t index;
    int usable;      // the address may be sent from: its duplicate check is over
    int running;     // it has a carrier: what is sent goes somewhere
} chy_interface;

// Interfaces that are up, can multicast, are neither loopback nor point-to-point (a TUN is) and have an address in
// fe80::/64. Writes up to `room` and returns how many.
int chy_multicast_interfaces(chy_interface *list, int room);
// A non-blocking IPv6 socket on [::]:port that shares the port, hears only the groups it joined (on every interface
// where any socket of the host joined them) and does not hear itself. *step names the call that failed.
int chy_multicast_open(uint16_t port, const char **step);
int chy_multicast_join(int fd, const uint8_t group[16], uint32_t index);
int chy_multicast_leave(int fd, const uint8_t group[16], uint32_t index);
// Sends one datagram from `source` through the interface in the scope of `to`.
int chy_multicast_send(int fd, const chy_address *to, const uint8_t source[16], const void *bytes, size_t size);
// The next datagram, as much of it as there is room for: its size, or -EAGAIN when none waits.
int chy_receive_from(int fd, void *bytes, size_t room, chy_address *from);

// ---- Name resolution ----------------------------------------------------------------------------------------------

// Resolves a host name or numeric address (a zone is accepted). Writes up to `room` addresses in the order of
// RFC 6724 and returns how many, or a negative EAI code (see chy_resolve_text). Blocks for as long as DNS takes.
int chy_resolve(const char *host, uint16_t port, chy_address *addresses, int room);
const char *chy_resolve_text(int code);

// ---- TUN ----------------------------------------------------------------------------------------------------------

#define CHY_TUN_CSUM 1
#define CHY_TUN_TSO 2
#define CHY_TUN_USO 4

// Opens a queue of a TUN device with a 10-byte virtio header on every packet. `name` (at least CHY_NAME_SIZE bytes)
// is replaced by the device's name. Retries for half a second while another owner's ring lets go of the device.
int chy_tun_open(char *name, int multi_queue, const char **step);
// Sets the offloads `wanted`, fewer when the kernel refuses; returns the set in use (CHY_TUN_...).
int chy_tun_offload(int fd, int wanted);

// Interface index of a name; -ENODEV when there is none.
int chy_link_index(const char *name);

typedef struct chy_link {
    int mtu;           // bytes
    int gso_max_size;  // bytes, 0 leaves the default
    const uint8_t *ip; // 16 bytes, NULL for no address
    int prefix_length; // the kernel's connected route has this length
} chy_link;

// Sets MTU, gso_max_size and address and brings the link up. *step names the setting that failed.
int chy_link_configure(int index, const chy_link *link, const char **step);

#ifdef __cplusplus
}
#endif
