/*
 * bounds.h - hostile bytes in a process of their own, with little memory and little time.
 */
#ifndef MG_TESTS_BOUNDS_H
#define MG_TESTS_BOUNDS_H

#include "core/buf.h"

/* Sanitizers need address space without bounds: under them only the time is bounded. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define UNDER_SANITIZER
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define UNDER_SANITIZER
#endif
#endif

/* What READ gives for BYTES (0 to 200) in a child that may take MIB MiB more than it has, and five seconds; more ends the test. */
int in_bounds(int mib, int (*read)(struct mg_bytes bytes), struct mg_bytes bytes);

#endif
