// What hypha-bench needs from the kernel and cannot call from Swift: network namespaces, children that start inside
// one and die with their parent, and batched datagram calls. All functions set errno and are for one thread.
#pragma once
#include <stddef.h>
#include <stdint.h>

// Nanoseconds of CLOCK_MONOTONIC, which all processes of a machine share, and of CPU time of this process.
uint64_t cbench_now(void);
uint64_t cbench_processor_time(void);
// Nanoseconds of CLOCK_REALTIME, by which the kernel stamps what it receives.
uint64_t cbench_wall(void);

// A new network namespace with its loopback down, as a descriptor (close-on-exec). The caller stays where it was.
// The kernel frees the namespace with the last descriptor and process in it, so nothing is left behind by a crash.
// -1 on error.
int cbench_namespace_create(void);

// How a child starts.
typedef struct cbench_child {
    const char *const *arguments; // argv, NULL at the end; argv[0] is looked up in PATH
    int network;                  // namespace descriptor, -1 = the parent's
    uint64_t cpus;                // bit set of cores to run on, 0 = as the parent
    int niceness;                 // 0 = as the parent; silently not raised without privilege
    int input, output, errors;    // become descriptors 0, 1 and 2
    int runs_first;               // 1 = before all ordinary programs on its cores (SCHED_FIFO)
    int death_signal;             // what the child gets when its parent dies, 0 = nothing
} cbench_child;

// Starts a child with default signal handling. When the program cannot be executed the child writes one line to
// `errors` and exits with 127. Returns its process id, -1 on error.
int cbench_spawn(const cbench_child *child);

// Continues in a child with a session of its own, whose scheduler group ranks above those of other sessions where that
// is allowed: the kernel weighs sessions against each other before it looks at priorities (sched(7), "The autogroup
// feature"). The caller's process stays as a shell around it: it passes SIGINT, SIGTERM and SIGHUP on and exits as the
// child does; when it is killed, the child gets SIGTERM. Without a child it goes on as it is.
void cbench_enter_session(void);

// Pins the calling thread to the cores of the bit set and raises its priority as far as it may. -1 when pinning fails.
int cbench_pin(uint64_t cpus, int niceness);
// Bit set of the first 64 cores that this process may use.
uint64_t cbench_usable_cpus(void);

// Blocks SIGINT, SIGTERM and SIGHUP and returns a descriptor that is readable once one of them came; -1 on error.
int cbench_interrupt_open(void);
// Closes it and lets the signals act again.
void cbench_interrupt_close(int descriptor);

// A UDP socket over IPv6 that receives trains (UDP_GRO); buffers in bytes, beyond the system's limit where allowed.
// -1 on error.
int cbench_socket(int receive_buffer, int send_buffer);
// Sends `length` bytes as datagrams of `segment` bytes each (the last may be shorter) with one call; 0, or -1.
int cbench_send_train(int socket, const void *data, size_t length, uint16_t segment);

// One message of cbench_receive.
typedef struct cbench_message {
    void *buffer;      // where its first `capacity` bytes go
    uint32_t capacity;
    uint32_t length;   // bytes of the whole message, also when that is more than `capacity`
    uint32_t segment;  // datagram size when the message is a train, else 0
    uint32_t reserved;
} cbench_message;

#define CBENCH_MESSAGES 64

// Waits for one message as long as the socket's receive timeout, then takes what else is there, at most `count`
// (CBENCH_MESSAGES or fewer). Returns the number of messages, 0 after a timeout, -1 on error.
int cbench_receive(int socket, cbench_message *messages, int count);

// A TCP connection to an IPv6 address that sends at once (TCP_NODELAY). `address`: 16 bytes; the port in host order.
// It is made within `milliseconds`, and a call that sends or receives waits no longer. -1 on error.
int cbench_stream(const void *address, uint16_t port, int milliseconds);
// A socket that listens on a TCP port at every address; -1 on error.
int cbench_listen(uint16_t port);
// Makes the kernel stamp what the connection receives; 0, or -1.
int cbench_stamp(int socket);
// Receives what is there, waiting as the socket does; `flags` as for recv(2). `when`: when the kernel got the last of it
// (cbench_wall), 0 without a stamp. Returns as recv(2) does.
ptrdiff_t cbench_receive_stamped(int socket, void *buffer, size_t capacity, int flags, uint64_t *when);
// From now on the calling thread runs as soon as it can, before all ordinary ones (SCHED_FIFO); -1 where that is not
// permitted.
int cbench_run_first(void);
