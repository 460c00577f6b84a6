/* fuzzing.c - see fuzzing.h. */
#include "tests/support/fuzzing.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

static const char *seed_dir;

_Noreturn void fuzz_find(const char *file, int line, const char *condition)
{
    fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, condition);
    abort();
}

void fuzz_begin(void (*seeds)(void))
{
    FUZZ_HOLDS(setenv("CMOCKA_TEST_ABORT", "1", 1) == 0); /* helpers of other tests fail with an abort here */
    FUZZ_HOLDS(sodium_init() >= 0);
    seed_dir = getenv("MAILLAGE_FUZZ_SEEDS");
    if (seed_dir == NULL) return;
    seeds();
    exit(0);
}

void fuzz_seed(struct mg_bytes bytes)
{
    uint8_t hash[10];
    char hex[2 * sizeof hash + 1], path[400];
    crypto_generichash(hash, sizeof hash, bytes.data, bytes.len, NULL, 0);
    sodium_bin2hex(hex, sizeof hex, hash, sizeof hash);
    FUZZ_HOLDS(snprintf(path, sizeof path, "%s/%s", seed_dir, hex) < (int)sizeof path);
    FILE *file = fopen(path, "wb");
    FUZZ_HOLDS(file != NULL);
    FUZZ_HOLDS(fwrite(bytes.data, 1, bytes.len, file) == bytes.len && fclose(file) == 0);
}

uint8_t fuzz_byte(struct fuzz_input *input)
{
    if (input->rest.len == 0) return 0;
    input->rest.len--;
    return *input->rest.data++;
}

bool fuzz_item(struct fuzz_input *input, struct mg_bytes *item)
{
    if (input->rest.len < 2) return false;
    size_t len = (size_t)input->rest.data[0] << 8 | input->rest.data[1], left = input->rest.len - 2;
    *item = (struct mg_bytes){input->rest.data + 2, len < left ? len : left};
    input->rest = (struct mg_bytes){item->data + item->len, left - item->len};
    return true;
}

void fuzz_put_item(struct mg_buf *seed, struct mg_bytes item)
{
    FUZZ_HOLDS(item.len <= UINT16_MAX);
    mg_buf_put_u8(seed, (uint8_t)(item.len >> 8));
    mg_buf_put_u8(seed, (uint8_t)(item.len & 0xff));
    mg_buf_put(seed, item.data, item.len);
}
