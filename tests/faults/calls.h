/*
 * calls.h - calls of the C library that fail when told to: whoever asks for memory gets none, a file cannot be opened,
 * written, synced, cut or renamed.
 *
 * The linker sends these calls here (--wrap in CMakeLists.txt): our own, SQLite's, and zstd's two contexts. What other
 * libraries ask for themselves is not counted. A connection that is opened asks once for all: SQLite3 Multiple Ciphers does not
 * look whether it got what it asks for there (sqlite3mcCloneCodecParameterTable).
 */
#ifndef MG_TESTS_CALLS_H
#define MG_TESTS_CALLS_H

#include <stdbool.h>
#include <stdint.h>

enum call_kind { CALL_MEMORY, CALL_FILE, CALL_KINDS };

/* The N-th such call from now (1: the next) fails; REPEATED: so do all after it, until calls_heal. */
void calls_fail_after(enum call_kind kind, int64_t n, bool repeated);
bool calls_fired(void);      /* one has, since it was ordered */
int64_t calls_passed(void);  /* calls of that kind since it was ordered */
void calls_heal(void);

#endif
