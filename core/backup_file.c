/*
 * backup_file.c - see backup_file.h.
 */
#include "core/backup_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/hash.h"
#include "core/mp.h"

enum { VERSION = 1, SEAL_MAX = 1024, MAGIC_LEN = 8, TAIL_LEN = MG_HASH_LEN + 4 + MAGIC_LEN, BLOCK = 1024 * 1024 };

static const char magic[MAGIC_LEN + 1] = "MLGBAK01";
static const char not_whole[] = "%s is not a whole backup of maillage: take another one";

mg_status mg_backup_file_fail(const char *what, struct mg_error *err)
{
    if (errno == ENOSPC || errno == EDQUOT) return mg_fail(err, MG_STORAGE, "the disk is full (%s)", what);
    return mg_fail(err, MG_STORAGE, "%s failed: %s", what, strerror(errno));
}

static bool write_all(int fd, const uint8_t *data, size_t len)
{
    for (size_t done = 0; done < len;) {
        ssize_t n = write(fd, data + done, len - done);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        done += (size_t)n;
    }
    return true;
}

/* False: the file ended, or errno says why. */
static bool read_all(int fd, uint8_t *data, size_t len)
{
    errno = 0;
    for (size_t done = 0; done < len;) {
        ssize_t n = read(fd, data + done, len - done);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        done += (size_t)n;
    }
    return true;
}

/* --- the seal --- */

static void put_seal(struct mg_buf *out, const struct mg_backup_file *sealed)
{
    const struct mg_backup_about *about = &sealed->about;
    uint8_t check[MG_HASH_LEN];
    mg_mp_put_array(out, 12);
    mg_mp_put_int(out, VERSION);
    mg_mp_put_bin(out, about->node, MG_ID_LEN);
    mg_mp_put_bool(out, about->hub);
    mg_mp_put_str(out, about->name, strlen(about->name));
    mg_mp_put_int(out, about->made_at);
    mg_mp_put_uint(out, about->reaches.history);
    mg_mp_put_uint(out, about->reaches.n);
    mg_mp_put_int(out, about->bytes);
    mg_mp_put_int(out, about->archive_bytes);
    mg_mp_put_str(out, sealed->key, strlen(sealed->key));
    mg_mp_put_bin(out, sealed->hash, MG_HASH_LEN);
    mg_mp_put_bin(out, sealed->archive_hash, MG_HASH_LEN);
    size_t len = out->len;
    mg_hash("maillage backup v1", out->data, len, check, sizeof check);
    mg_buf_put(out, check, sizeof check);
    for (int i = 24; i >= 0; i -= 8) mg_buf_put_u8(out, (uint8_t)(len >> i));
    mg_buf_put(out, magic, MAGIC_LEN);
}

static void get_text(struct mg_mp_reader *in, char *text, size_t max)
{
    struct mg_bytes bytes = mg_mp_get_str(in, max);
    if (bytes.len > 0) memcpy(text, bytes.data, bytes.len);
    text[bytes.len] = '\0';
}

static bool get_seal(const uint8_t *data, size_t len, struct mg_backup_file *sealed)
{
    struct mg_backup_about *about = &sealed->about;
    struct mg_mp_reader in;
    mg_mp_read(&in, data, len);
    mg_mp_expect_array(&in, 12);
    if (mg_mp_get_int(&in) != VERSION) mg_mp_refuse(&in, "another version");
    mg_mp_get_bin_exact(&in, about->node, MG_ID_LEN);
    about->hub = mg_mp_get_bool(&in);
    get_text(&in, about->name, MG_NAME_MAX);
    about->made_at = mg_mp_get_int(&in);
    about->reaches.history = mg_mp_get_uint(&in);
    about->reaches.n = mg_mp_get_uint(&in);
    about->bytes = mg_mp_get_int(&in);
    about->archive_bytes = mg_mp_get_int(&in);
    get_text(&in, sealed->key, MG_KEY_LINE_MAX);
    mg_mp_get_bin_exact(&in, sealed->hash, MG_HASH_LEN);
    mg_mp_get_bin_exact(&in, sealed->archive_hash, MG_HASH_LEN);
    return mg_mp_done(&in);
}

mg_status mg_backup_file_seal(int fd, const struct mg_backup_file *sealed, struct mg_error *err)
{
    struct mg_buf seal;
    mg_buf_init(&seal, SEAL_MAX);
    put_seal(&seal, sealed);
    mg_assert(!seal.failed);
    int64_t end = sealed->about.bytes + sealed->about.archive_bytes;
    bool ok = lseek(fd, end, SEEK_SET) == end && write_all(fd, seal.data, seal.len) && fsync(fd) == 0;
    sodium_memzero(seal.data, seal.len);
    mg_buf_free(&seal);
    return ok ? MG_OK : mg_backup_file_fail("sealing the backup", err);
}

/* What the last bytes of FD say, of a file of SIZE bytes. */
static bool read_seal(int fd, int64_t size, struct mg_backup_file *sealed)
{
    uint8_t seal[SEAL_MAX], check[MG_HASH_LEN];
    int64_t len = size < SEAL_MAX ? size : SEAL_MAX;
    if (len < TAIL_LEN || lseek(fd, size - len, SEEK_SET) < 0 || !read_all(fd, seal, (size_t)len)) return false;
    const uint8_t *tail = seal + len - TAIL_LEN, *count = tail + MG_HASH_LEN;
    if (memcmp(count + 4, magic, MAGIC_LEN) != 0) return false;
    uint32_t body = (uint32_t)count[0] << 24 | (uint32_t)count[1] << 16 | (uint32_t)count[2] << 8 | count[3];
    if (body > (uint64_t)(len - TAIL_LEN)) return false;
    mg_hash("maillage backup v1", tail - body, body, check, sizeof check);
    bool good = memcmp(check, tail, sizeof check) == 0 && get_seal(tail - body, body, sealed) &&
                sealed->about.bytes >= 0 && sealed->about.bytes <= size && sealed->about.archive_bytes >= 0 &&
                sealed->about.archive_bytes == size - (int64_t)body - TAIL_LEN - sealed->about.bytes;
    sodium_memzero(seal, sizeof seal);
    return good;
}

mg_status mg_backup_file_open(const char *file, int *fd, struct mg_backup_file *sealed, struct mg_error *err)
{
    struct stat about;
    memset(sealed, 0, sizeof *sealed);
    *fd = open(file, O_RDONLY | O_CLOEXEC);
    if (*fd < 0) return mg_fail(err, errno == ENOENT ? MG_FAILED : MG_STORAGE, "%s cannot be read: %s", file, strerror(errno));
    if (fstat(*fd, &about) == 0 && S_ISREG(about.st_mode) && read_seal(*fd, about.st_size, sealed) && lseek(*fd, 0, SEEK_SET) == 0)
        return MG_OK;
    close(*fd);
    *fd = -1;
    return mg_fail(err, MG_REFUSED, not_whole, file);
}

mg_status mg_backup_about(const char *file, struct mg_backup_about *about, struct mg_error *err)
{
    struct mg_backup_file sealed;
    int fd;
    mg_status status = mg_backup_file_open(file, &fd, &sealed, err);
    if (status == MG_OK) {
        *about = sealed.about;
        close(fd);
    }
    sodium_memzero(&sealed, sizeof sealed);
    return status;
}

/* --- the database --- */

mg_status mg_backup_file_copy(int from, int to, int64_t bytes, const char *doing, const struct mg_progress *progress,
                              uint8_t hash[MG_HASH_LEN], struct mg_error *err)
{
    struct mg_progress_at at = {.doing = doing, .unit = "bytes", .total = bytes};
    struct mg_hasher hasher;
    mg_status status = MG_OK;
    uint8_t *block = malloc(BLOCK);
    mg_assert(block != NULL);
    mg_hash_start(&hasher, "maillage backup database v1", MG_HASH_LEN);
    (void)posix_fadvise(from, 0, 0, POSIX_FADV_DONTNEED); /* only what is clean goes: fsync comes before */
    while (status == MG_OK && at.done < bytes) {
        size_t len = bytes - at.done < BLOCK ? (size_t)(bytes - at.done) : BLOCK;
        if (!read_all(from, block, len)) {
            if (errno == 0) errno = EIO; /* shorter than it was */
            status = mg_backup_file_fail("reading the backup", err);
        } else if (to >= 0 && !write_all(to, block, len)) {
            status = mg_backup_file_fail("copying the backup", err);
        } else {
            mg_hash_add(&hasher, block, len);
            at.done += (int64_t)len;
            if (!mg_progress_go_on(progress, &at)) status = mg_fail(err, MG_STOPPED, "stopped: nothing was changed");
        }
    }
    mg_hash_end(&hasher, hash);
    free(block);
    return status;
}
