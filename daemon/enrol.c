/*
 * enrol.c - a directory becomes a node, also when the power fails on any line of it.
 *
 *   1. keys are drawn and kept in DIR/join.keys, durable
 *   2. the hub registers them                      lost answer: run again, same keys
 *   3. the store is created, all or nothing
 *   4. DIR/join.keys is removed                    not reached: removed by the first session
 *
 * The hub gives the same answer to the same keys, and refuses any others for an
 * invitation that was used: so the keys must outlive a lost answer. They belong to one
 * invitation: another one draws others, because to the hub they are another device.
 */
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/call.h"

#define KEYS_FILE "join.keys"
#define KEYS_NEW  "join.keys.new"

/* The file is this struct: it never leaves the machine that wrote it. */
struct keys {
    char magic[8];
    uint8_t invitation[MG_INVITE_ID_LEN];
    uint8_t node[MG_ID_LEN];
    uint8_t sign_public[MG_KEY_LEN], sign_secret[MG_SIGN_SECRET_LEN];
    uint8_t noise_public[MG_KEY_LEN], noise_secret[MG_KEY_LEN];
    uint8_t check[16]; /* of all before: a damaged file must not become a node's key */
};

static const char keys_magic[8] = "MGJOIN1";

_Static_assert(sizeof(struct keys) == 8 + 8 + 16 + 32 + 64 + 32 + 32 + 16, "no padding");

static void checksum(const struct keys *keys, uint8_t check[16])
{
    crypto_generichash(check, 16, (const uint8_t *)keys, offsetof(struct keys, check), NULL, 0);
}

/* --- the directory --- */

static mg_status open_dir(const char *dir, int *fd, struct mg_error *err)
{
    mg_status status = mg_dir_make(dir, err);
    if (status != MG_OK) return status;
    *fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return *fd >= 0 ? MG_OK
                    : mg_fail(err, MG_STORAGE, "%s cannot be opened: %s", dir, strerror(errno));
}

/* --- the keys --- */

static bool load_keys(int dir, const struct mg_invitation *invitation, struct keys *keys)
{
    uint8_t check[16];
    int fd = openat(dir, KEYS_FILE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) return false;
    bool whole = read(fd, keys, sizeof *keys) == (ssize_t)sizeof *keys;
    close(fd);
    if (!whole) return false;
    checksum(keys, check);
    return memcmp(keys->magic, keys_magic, sizeof keys_magic) == 0 &&
           memcmp(keys->check, check, sizeof check) == 0 &&
           memcmp(keys->invitation, invitation->id, MG_INVITE_ID_LEN) == 0;
}

static void draw_keys(const struct mg_env *env, const struct mg_invitation *invitation,
                      struct keys *keys)
{
    struct mg_identity identity = {0};
    mg_identity_draw(env, &identity);
    memcpy(keys->magic, keys_magic, sizeof keys_magic);
    memcpy(keys->invitation, invitation->id, MG_INVITE_ID_LEN);
    memcpy(keys->node, identity.node, MG_ID_LEN);
    memcpy(keys->sign_public, identity.sign_public, MG_KEY_LEN);
    memcpy(keys->sign_secret, identity.sign_secret, MG_SIGN_SECRET_LEN);
    memcpy(keys->noise_public, identity.noise_public, MG_KEY_LEN);
    memcpy(keys->noise_secret, identity.noise_secret, MG_KEY_LEN);
    checksum(keys, keys->check);
    sodium_memzero(&identity, sizeof identity);
}

/* Under a name of its own until it is durable, so that the file is whole or absent. */
static bool write_keys(int dir, const struct keys *keys)
{
    (void)unlinkat(dir, KEYS_NEW, 0);
    int fd = openat(dir, KEYS_NEW, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) return false;
    bool good = write(fd, keys, sizeof *keys) == (ssize_t)sizeof *keys && fsync(fd) == 0;
    if (close(fd) != 0) good = false;
    return good && renameat(dir, KEYS_NEW, dir, KEYS_FILE) == 0 && fsync(dir) == 0;
}

static mg_status prepare_keys(int dir, const struct mg_env *env,
                              const struct mg_invitation *invitation, struct mg_identity *identity,
                              struct mg_error *err)
{
    struct keys keys;
    mg_status status = MG_OK;
    if (!load_keys(dir, invitation, &keys)) {
        draw_keys(env, invitation, &keys);
        if (!write_keys(dir, &keys))
            status =
                mg_fail(err, MG_STORAGE, "the new node's keys cannot be kept in " KEYS_FILE ": %s",
                        strerror(errno));
    }
    *identity = (struct mg_identity){.hub = false};
    memcpy(identity->node, keys.node, MG_ID_LEN);
    memcpy(identity->sign_public, keys.sign_public, MG_KEY_LEN);
    memcpy(identity->sign_secret, keys.sign_secret, MG_SIGN_SECRET_LEN);
    memcpy(identity->noise_public, keys.noise_public, MG_KEY_LEN);
    memcpy(identity->noise_secret, keys.noise_secret, MG_KEY_LEN);
    sodium_memzero(&keys, sizeof keys);
    return status;
}

/* --- enrolment --- */

static mg_status enrol(int dir_fd, const char *dir, const struct mg_invitation *invitation,
                       const struct mg_env *env, const atomic_bool *stop, struct mg_error *err)
{
    const struct mg_dial_options options = {.stop = stop};
    struct mg_identity identity;
    mg_status status = prepare_keys(dir_fd, env, invitation, &identity, err);
    if (status != MG_OK) return status;

    struct mg_call call = {
        .address = invitation->hub_address, .identity = &identity, .invitation = invitation, .options = &options};
    status = mg_call_hub(&call, err);
    if (status == MG_OK) {
        mg_assert(call.has_birth);
        status = mg_store_create(dir, env, &call.birth, err);
    }
    sodium_memzero(&identity, sizeof identity);
    sodium_memzero(&call.birth, sizeof call.birth);
    return status;
}

static void remove_keys(int dir)
{
    (void)unlinkat(dir, KEYS_NEW, 0);
    (void)unlinkat(dir, KEYS_FILE, 0);
}

void mg_enrol_tidy(const char *dir)
{
    int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return;
    remove_keys(fd);
    close(fd);
}

static mg_status enrol_locked(int dir_fd, const char *dir, const struct mg_invitation *invitation,
                              const struct mg_env *env, const atomic_bool *stop, struct mg_error *err)
{
    if (mg_store_exists(dir))
        return mg_fail(err, MG_REFUSED,
                       "%s is a node already: choose another directory with --dir, or use this one",
                       dir);
    mg_status status = enrol(dir_fd, dir, invitation, env, stop, err);
    if (status == MG_OK) remove_keys(dir_fd);
    return status;
}

mg_status mg_dial_enrol(const char *dir, const struct mg_invitation *invitation,
                        const struct mg_env *env, const atomic_bool *stop, struct mg_error *err)
{
    int fd, lock;
    if (sodium_init() < 0) return mg_fail(err, MG_FAILED, "libsodium does not start");
    mg_status status = open_dir(dir, &fd, err);
    if (status != MG_OK) return status;
    /* Two joins at once would draw two pairs of keys for one invitation. */
    status = mg_lock_take(dir, "sync.lock", &lock, err);
    if (status == MG_OK) {
        status = enrol_locked(fd, dir, invitation, env, stop, err);
        close(lock);
    }
    close(fd);
    return status;
}
