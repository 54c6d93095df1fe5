#define _GNU_SOURCE
#include "CKernel.h"
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>

int chy_thread_pin(int cpu) {
    if (cpu < 0 || cpu >= CPU_SETSIZE) return -EINVAL;
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    return sched_setaffinity(0, sizeof set, &set) == 0 ? 0 : -errno;
}

void chy_thread_name(const char *name) {
    char text[16] = { 0 };
    strncpy(text, name, sizeof text - 1);
    pthread_setname_np(pthread_self(), text);
}

int chy_usable_cpus(int *cpus, int room) {
    cpu_set_t set;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof set, &set) != 0) return 0;
    int count = 0;
    for (int cpu = 0; cpu < CPU_SETSIZE && count < room; cpu++)
        if (CPU_ISSET(cpu, &set)) cpus[count++] = cpu;
    return count;
}
