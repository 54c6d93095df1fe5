// Between the module's form of an address and the kernel's. Private to this target.
#pragma once
#include "CKernel.h"
#include <sys/socket.h>

// 1 for a mapped IPv4 address.
int chy_is_ipv4(const chy_address *a);
socklen_t chy_to_native(const chy_address *a, struct sockaddr_storage *s);
void chy_from_native(const struct sockaddr_storage *s, chy_address *a);
