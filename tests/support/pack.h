/*
 * pack.h - a small rule pack for Martigues, as text.
 */
#ifndef MG_TESTS_PACK_H
#define MG_TESTS_PACK_H

/* Its exits take 76 hours, its cases say that 13056 is the commune to live in. */
const char *small_pack(void);

/* The same with FROM, which is in it, replaced by TO; freed by the caller. */
char *small_pack_with(const char *from, const char *to);

#endif
