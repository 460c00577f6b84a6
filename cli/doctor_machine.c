/*
 * doctor_machine.c - the directory, the disk, the daemon, and whether the key opens the store.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "cli/doctor.h"

enum { DISK_LEAST_MB = 64, INODES_LEAST = 100 };

/* --- who can get at it --- */

/* What the daemon or SQLite makes, all of which tells what is in the dossiers. */
static const char *const private_files[] = {"store.key", "maillage.db", "maillage.db-wal", "maillage.db-shm", "archive.db", "control.sock"};

/* False: FILE is another's, or open to others; the finding says so. A file that is not there is well. */
static bool is_private(const char *dir, const char *name, struct mg_finding *finding)
{
    struct stat about;
    char *path = name != NULL ? mg_path_in(dir, name) : mg_need(strdup(dir));
    bool there = lstat(path, &about) == 0, well = true;
    if (there && about.st_uid != geteuid()) {
        mg_find(finding, MG_HEALTH_PROBLEM, "%s belongs to user %u, and this is user %u", path, (unsigned)about.st_uid,
                (unsigned)geteuid());
        mg_advise(finding, "work as the user to whom the node belongs, or give it to this one: chown -R %u %s",
                  (unsigned)geteuid(), dir);
        well = false;
    } else if (there && (about.st_mode & 077) != 0) {
        mg_find(finding, name != NULL ? MG_HEALTH_PROBLEM : MG_HEALTH_WARNING, "others may open %s (mode %o)", path,
                (unsigned)about.st_mode & 07777);
        mg_advise(finding, "chmod go-rwx %s", path);
        well = false;
    }
    free(path);
    return well;
}

void mg_check_directory(struct mg_patient *patient, struct mg_finding *finding)
{
    const char *dir = patient->cli->dir;
    for (size_t i = 0; i < sizeof private_files / sizeof *private_files; i++)
        if (!is_private(dir, private_files[i], finding)) return;
    if (is_private(dir, NULL, finding)) mg_find(finding, MG_HEALTH_OK, "%s, open to nobody else", dir);
}

/* --- room --- */

static int64_t size_of(const char *dir, const char *name)
{
    struct stat about;
    char *path = mg_path_in(dir, name);
    int64_t size = stat(path, &about) == 0 ? about.st_size : 0;
    free(path);
    return size;
}

void mg_check_disk(struct mg_patient *patient, struct mg_finding *finding)
{
    const char *dir = patient->cli->dir;
    struct statvfs disk;
    if (statvfs(dir, &disk) != 0) {
        mg_find(finding, MG_HEALTH_PROBLEM, "the disk of %s cannot be asked: %s", dir, strerror(errno));
        mg_advise(finding, "see whether it is still connected");
        return;
    }
    const int64_t mb = 1000 * 1000;
    int64_t free_bytes = (int64_t)disk.f_bavail * (int64_t)disk.f_frsize;
    int64_t store = size_of(dir, "maillage.db") + size_of(dir, "maillage.db-wal") + size_of(dir, "archive.db");
    bool no_files = disk.f_files > 0 && disk.f_favail < INODES_LEAST;
    enum mg_health health = free_bytes < DISK_LEAST_MB * mb || no_files ? MG_HEALTH_PROBLEM
                            : free_bytes < 2 * store                    ? MG_HEALTH_WARNING
                                                                        : MG_HEALTH_OK;
    mg_find(finding, health, "%" PRId64 " MB free%s; the store takes %" PRId64 " MB", free_bytes / mb,
            no_files ? ", but no room for another file" : "", (store + mb - 1) / mb);
    if (health != MG_HEALTH_OK) mg_advise(finding, "free some space: without it nothing can be entered, received or backed up");
}

/* --- the daemon --- */

/* Which role it is in is in the store; without that a hub is not told from a node. */
static bool is_hub(const struct mg_patient *patient)
{
    return patient->opened == MG_OK && mg_store_identity(patient->cli->store)->hub;
}

void mg_check_daemon(struct mg_patient *patient, struct mg_finding *finding)
{
    struct mg_error err = {""};
    bool runs;
    const char *dir = patient->cli->dir;
    if (mg_daemon_runs(dir, patient->opened != MG_OK || is_hub(patient), &runs, &err) != MG_OK) {
        mg_find(finding, MG_HEALTH_PROBLEM, "%s", err.text);
        mg_advise(finding, "end it and start it again");
    } else if (runs) {
        mg_find(finding, MG_HEALTH_OK, "maillaged runs");
    } else if (is_hub(patient)) {
        mg_find(finding, MG_HEALTH_WARNING, "no maillaged runs here: no node can reach this hub");
        mg_advise(finding, "systemctl enable --now maillaged-hub, or run `maillaged --dir %s`", dir);
    } else {
        mg_find(finding, MG_HEALTH_WARNING, "no maillaged runs here: sessions are only those of `maillage sync`");
        mg_advise(finding, "systemctl enable --now maillaged-node@USER, or run `maillaged --dir %s`", dir);
    }
}

/* --- does it open? --- */

void mg_check_store(struct mg_patient *patient, struct mg_finding *finding)
{
    if (patient->opened != MG_OK) {
        mg_find(finding, MG_HEALTH_PROBLEM, "%s", patient->why_not.text);
        mg_advise(finding, "unless that says what to do: `maillage restore FILE --force` brings a backup back and keeps what is here");
        return;
    }
    const struct mg_identity *self = mg_store_identity(patient->cli->store);
    mg_find(finding, MG_HEALTH_OK, "the key opens it: %s %s, schema %d, maillage %s, SQLite %s", self->hub ? "hub" : "node",
            self->name, mg_store_schema(patient->cli->store)->version, MAILLAGE_VERSION, sqlite3_libversion());
}
