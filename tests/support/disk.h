/*
 * disk.h - disks that fail when told to, beneath SQLite and its page encryption.
 *
 *   SQLite -> SQLite3MC (encrypts a page) -> this -> "unix" (the real files)
 *
 * A disk is a directory. What is written goes to the real file at once, so that whoever copies the
 * directory sees what a process would; and it is remembered until it is synced, so that a power cut
 * can keep, drop or tear it. Syncs are not passed on: a disk here is as fast as memory, and its power
 * cut is decided by a seed. Creating and removing a file takes effect at once and for good, as a
 * journaling file system does it with the syncs of directories that SQLite asks for.
 *
 * Only what goes through SQLite is on the disk: store.key is written once, when a node is born.
 */
#ifndef MG_TESTS_DISK_H
#define MG_TESTS_DISK_H

#include <stdbool.h>
#include <stdint.h>

struct disk;

enum disk_fault {
    DISK_READ_ERROR,  /* the read fails */
    DISK_WRITE_ERROR, /* the write, or a change of length, fails; half of it may be there */
    DISK_SYNC_ERROR,  /* the sync fails; what it was for stays unsynced */
    DISK_FULL,        /* a write that makes a file longer fails */
    DISK_CRASH,       /* a write, a change of length or a sync does not come back: the disk is off */
};

/* Puts it beneath SQLite3MC, for all stores that this process opens from here on. Once a process. */
void disk_install(void);

struct disk *disk_new(const char *dir, uint64_t seed); /* no file in it is open yet */
void disk_free(struct disk *disk);

/* The N-th such operation from now (1: the next) fails; REPEATED: so do all after it, until disk_heal. One fault at a time. */
void disk_fault_after(struct disk *disk, enum disk_fault fault, int64_t n, bool repeated);
bool disk_fired(const struct disk *disk); /* it has, since it was ordered */
int64_t disk_passed(const struct disk *disk); /* such operations since it was ordered */
void disk_heal(struct disk *disk);        /* nothing is ordered, and there is room */

/* Off: every operation fails, and nothing changes on the disk: what a killed process leaves. A store may be closed. */
void disk_off(struct disk *disk);
bool disk_is_off(const struct disk *disk);

/* On again, with no file of it open. POWER_WAS_CUT: what was not synced is kept, dropped or torn at 512 bytes, by the seed;
 * else it was only the process that ended, and all that was written is there. */
void disk_on(struct disk *disk, bool power_was_cut);

#endif
