#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "CBench.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static uint64_t nanoseconds(clockid_t clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

uint64_t cbench_now(void) { return nanoseconds(CLOCK_MONOTONIC); }
uint64_t cbench_processor_time(void) { return nanoseconds(CLOCK_PROCESS_CPUTIME_ID); }
uint64_t cbench_wall(void) { return nanoseconds(CLOCK_REALTIME); }

int cbench_namespace_create(void) {
    int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    if (home < 0) return -1;
    int made = -1;
    if (unshare(CLONE_NEWNET) == 0) {
        made = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
        int error = errno;
        if (setns(home, CLONE_NEWNET) != 0) {
            // The caller would go on in the wrong network.
            if (made >= 0) close(made);
            error = errno;
            made = -1;
        }
        errno = error;
    }
    int error = errno;
    close(home);
    errno = error;
    return made;
}

static int pin(uint64_t cpus) {
    cpu_set_t set;
    CPU_ZERO(&set);
    for (int i = 0; i < 64; i++)
        if (cpus >> i & 1) CPU_SET(i, &set);
    return sched_setaffinity(0, sizeof set, &set);
}

static void interrupt_signals(sigset_t *set) {
    sigemptyset(set);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGHUP);
}

int cbench_spawn(const cbench_child *child) {
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid != 0) return pid;
    const char *step = "prctl";
    if (child->death_signal != 0 && prctl(PR_SET_PDEATHSIG, child->death_signal) != 0) goto failed;
    // The parent may have died before the line above.
    if (child->death_signal != 0 && getppid() != parent) _exit(127);
    step = "network namespace";
    if (child->network >= 0 && setns(child->network, CLONE_NEWNET) != 0) goto failed;
    step = "cores";
    if (child->cpus != 0 && pin(child->cpus) != 0) goto failed;
    if (child->niceness != 0) (void)setpriority(PRIO_PROCESS, 0, child->niceness);
    step = "a place before ordinary programs (SCHED_FIFO)";
    if (child->runs_first != 0 && cbench_run_first() != 0) goto failed;
    step = "descriptors";
    // Above 2 first, so that no dup2 overwrites what the next one needs.
    int files[3] = { child->input, child->output, child->errors };
    for (int i = 0; i < 3; i++)
        if ((files[i] = fcntl(files[i], F_DUPFD, 3)) < 0) goto failed;
    for (int i = 0; i < 3; i++)
        if (dup2(files[i], i) < 0) goto failed;
    for (int i = 0; i < 3; i++) close(files[i]);
    // A group of its own: what the terminal sends goes to the parent, which ends its children in order.
    setpgid(0, 0);
    signal(SIGPIPE, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    step = "exec";
    execvp(child->arguments[0], (char *const *)child->arguments);
failed:
    dprintf(2, "cannot start %s: %s: %s\n", child->arguments[0], step, strerror(errno));
    _exit(127);
}

static volatile pid_t session;

static void pass_on(int signal) {
    (void)signal;
    if (session > 0) kill(session, SIGTERM);
}

void cbench_enter_session(void) {
    sigset_t set, before;
    interrupt_signals(&set);
    // A signal that comes before the child is known waits until it is.
    sigprocmask(SIG_BLOCK, &set, &before);
    pid_t parent = getpid();
    session = fork();
    if (session > 0) {
        struct sigaction action = { .sa_handler = pass_on };
        sigaction(SIGINT, &action, NULL);
        sigaction(SIGTERM, &action, NULL);
        sigaction(SIGHUP, &action, NULL);
        sigprocmask(SIG_SETMASK, &before, NULL);
        int status = 0;
        while (waitpid(session, &status, 0) < 0 && errno == EINTR) {}
        _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
    }
    if (session == 0) {
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (getppid() != parent) _exit(1);
        setsid();
        int group = open("/proc/self/autogroup", O_WRONLY | O_CLOEXEC);
        if (group >= 0) {
            (void)!write(group, "-10", 3);
            close(group);
        }
    }
    sigprocmask(SIG_SETMASK, &before, NULL);
}

int cbench_pin(uint64_t cpus, int niceness) {
    (void)setpriority(PRIO_PROCESS, 0, niceness);
    return pin(cpus);
}

uint64_t cbench_usable_cpus(void) {
    cpu_set_t set;
    uint64_t bits = 0;
    if (sched_getaffinity(0, sizeof set, &set) != 0) return 1;
    for (int i = 0; i < 64; i++)
        if (CPU_ISSET(i, &set)) bits |= (uint64_t)1 << i;
    return bits;
}

int cbench_interrupt_open(void) {
    sigset_t set;
    interrupt_signals(&set);
    int descriptor = signalfd(-1, &set, SFD_CLOEXEC);
    if (descriptor >= 0) sigprocmask(SIG_BLOCK, &set, NULL);
    return descriptor;
}

void cbench_interrupt_close(int descriptor) {
    sigset_t set;
    interrupt_signals(&set);
    close(descriptor);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
}

int cbench_socket(int receive_buffer, int send_buffer) {
    int s = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0), on = 1;
    if (s < 0) return -1;
    // The second call takes what the system allows where the first is not permitted.
    if (setsockopt(s, SOL_SOCKET, SO_RCVBUFFORCE, &receive_buffer, sizeof receive_buffer) != 0)
        setsockopt(s, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    if (setsockopt(s, SOL_SOCKET, SO_SNDBUFFORCE, &send_buffer, sizeof send_buffer) != 0)
        setsockopt(s, SOL_SOCKET, SO_SNDBUF, &send_buffer, sizeof send_buffer);
    if (setsockopt(s, SOL_UDP, UDP_GRO, &on, sizeof on) != 0) {
        int error = errno;
        close(s);
        errno = error;
        return -1;
    }
    return s;
}

int cbench_send_train(int socket, const void *data, size_t length, uint16_t segment) {
    struct iovec vector = { (void *)data, length };
    char control[CMSG_SPACE(sizeof segment)] = { 0 };
    struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1 };
    if (length > segment) {
        message.msg_control = control;
        message.msg_controllen = sizeof control;
        struct cmsghdr *c = CMSG_FIRSTHDR(&message);
        c->cmsg_level = SOL_UDP;
        c->cmsg_type = UDP_SEGMENT;
        c->cmsg_len = CMSG_LEN(sizeof segment);
        memcpy(CMSG_DATA(c), &segment, sizeof segment);
    }
    return sendmsg(socket, &message, 0) < 0 ? -1 : 0;
}

int cbench_receive(int socket, cbench_message *messages, int count) {
    struct mmsghdr headers[CBENCH_MESSAGES];
    struct iovec vectors[CBENCH_MESSAGES];
    _Alignas(8) char control[CBENCH_MESSAGES][CMSG_SPACE(sizeof(int))];
    if (count > CBENCH_MESSAGES) count = CBENCH_MESSAGES;
    for (int i = 0; i < count; i++) {
        vectors[i] = (struct iovec){ messages[i].buffer, messages[i].capacity };
        headers[i].msg_hdr = (struct msghdr){
            .msg_iov = &vectors[i], .msg_iovlen = 1, .msg_control = control[i], .msg_controllen = sizeof control[i]
        };
    }
    int got = recvmmsg(socket, headers, (unsigned)count, MSG_TRUNC | MSG_WAITFORONE, NULL);
    if (got < 0) return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? 0 : -1;
    for (int i = 0; i < got; i++) {
        messages[i].length = headers[i].msg_len;
        messages[i].segment = 0;
        for (struct cmsghdr *c = CMSG_FIRSTHDR(&headers[i].msg_hdr); c; c = CMSG_NXTHDR(&headers[i].msg_hdr, c))
            if (c->cmsg_level == SOL_UDP && c->cmsg_type == UDP_GRO) {
                int size;
                memcpy(&size, CMSG_DATA(c), sizeof size);
                if (size > 0) messages[i].segment = (uint32_t)size;
            }
    }
    return got;
}

int cbench_stream(const void *address, uint16_t port, int milliseconds) {
    struct timeval limit = { milliseconds / 1000, milliseconds % 1000 * 1000 };
    struct sockaddr_in6 to = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
    memcpy(&to.sin6_addr, address, sizeof to.sin6_addr);
    int s = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    if (s < 0) return -1;
    // The time limit of sending is that of connecting too.
    if (setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0
        || setsockopt(s, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) != 0
        || setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) != 0
        || connect(s, (struct sockaddr *)&to, sizeof to) != 0) {
        int error = errno;
        close(s);
        errno = error;
        return -1;
    }
    return s;
}

int cbench_listen(uint16_t port) {
    struct sockaddr_in6 here = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
    int s = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (s >= 0 && (bind(s, (struct sockaddr *)&here, sizeof here) != 0 || listen(s, 16) != 0)) {
        int error = errno;
        close(s);
        errno = error;
        return -1;
    }
    return s;
}

int cbench_stamp(int socket) {
    int on = 1;
    return setsockopt(socket, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
}

ptrdiff_t cbench_receive_stamped(int socket, void *buffer, size_t capacity, int flags, uint64_t *when) {
    struct iovec vector = { buffer, capacity };
    _Alignas(8) char control[CMSG_SPACE(sizeof(struct timespec))];
    struct msghdr message = {
        .msg_iov = &vector, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control
    };
    *when = 0;
    ptrdiff_t got = recvmsg(socket, &message, flags);
    if (got <= 0) return got;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c))
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS) {
            struct timespec time;
            memcpy(&time, CMSG_DATA(c), sizeof time);
            *when = (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
        }
    return got;
}

int cbench_run_first(void) {
    struct sched_param parameter = { .sched_priority = 1 };
    return sched_setscheduler(0, SCHED_FIFO, &parameter);
}
