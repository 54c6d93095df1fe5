#pragma once
// System headers first, liburing last: it defines _GNU_SOURCE itself, and a clean build fails when a header that
// came later sees another set of feature macros.
#include <sched.h>
#include <signal.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <liburing.h>
