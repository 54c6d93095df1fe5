#define _GNU_SOURCE
#include "CKernel.h"
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

int chy_event_open(void) {
    int fd = eventfd(0, EFD_CLOEXEC);
    return fd >= 0 ? fd : -errno;
}

void chy_event_signal(int fd) {
    uint64_t one = 1;
    while (write(fd, &one, sizeof one) < 0 && errno == EINTR) {}
}

void chy_event_drain(int fd) {
    uint64_t count;
    while (read(fd, &count, sizeof count) < 0 && errno == EINTR) {}
}

static void make_set(sigset_t *set, const int *signals, int count) {
    sigemptyset(set);
    for (int i = 0; i < count; i++) sigaddset(set, signals[i]);
}

int chy_signals_block(const int *signals, int count) {
    sigset_t set;
    make_set(&set, signals, count);
    return -pthread_sigmask(SIG_BLOCK, &set, NULL);
}

int chy_signals_open(const int *signals, int count) {
    sigset_t set;
    make_set(&set, signals, count);
    int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return fd >= 0 ? fd : -errno;
}

int chy_signals_take(int fd) {
    struct signalfd_siginfo info;
    return read(fd, &info, sizeof info) == sizeof info ? (int)info.ssi_signo : 0;
}

int chy_wait(int event_fd, int signal_fd, const int *others, int count, int64_t nanoseconds) {
    struct pollfd fds[2 + CHY_OTHERS] = { { .fd = event_fd, .events = POLLIN }, { .fd = signal_fd, .events = POLLIN } };
    struct timespec limit = { .tv_sec = nanoseconds / 1000000000, .tv_nsec = nanoseconds % 1000000000 };
    if (count > CHY_OTHERS) count = CHY_OTHERS;
    for (int i = 0; i < count; i++) fds[2 + i] = (struct pollfd){ .fd = others[i], .events = POLLIN };
    if (ppoll(fds, (nfds_t)(2 + count), nanoseconds < 0 ? NULL : &limit, NULL) <= 0) return 0;
    int result = 0;
    if (fds[0].revents & POLLIN) {
        chy_event_drain(event_fd);
        result |= CHY_WOKEN;
    }
    if (fds[1].revents & POLLIN) result |= CHY_SIGNAL;
    for (int i = 0; i < count; i++)
        if (fds[2 + i].revents) result |= CHY_READABLE;
    return result;
}
