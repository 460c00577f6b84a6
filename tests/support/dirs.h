/*
 * dirs.h - directories of tests: a store's copied as somebody copies a disk, and any removed.
 */
#ifndef MG_TESTS_DIRS_H
#define MG_TESTS_DIRS_H

/* With what is in it; nothing there is fine. */
void dir_remove(const char *dir);

/* The key and the database, with what is still in its write-ahead log; TO is made when it is not there. */
void dir_copy_store(const char *from, const char *to);

#endif
