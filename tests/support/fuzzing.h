/*
 * fuzzing.h - what every target of tests/fuzz has in common: a beginning, seeds, and one input cut into items.
 *
 * A target is a file with LLVMFuzzerInitialize, which calls fuzz_begin, and LLVMFuzzerTestOneInput. libFuzzer drives
 * it in the fuzz build; tests/fuzz/replay drives it in the others, with nothing but the corpus.
 */
#ifndef MG_TESTS_FUZZING_H
#define MG_TESTS_FUZZING_H

#include "core/core.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* What must hold whatever the bytes are: else the input is a find. */
#define FUZZ_HOLDS(condition) ((condition) ? (void)0 : fuzz_find(__FILE__, __LINE__, #condition))
_Noreturn void fuzz_find(const char *file, int line, const char *condition);

/* With MAILLAGE_FUZZ_SEEDS in the environment SEEDS is called, which gives each seed to fuzz_seed: they are files in that
 * directory, named by their hash, and the process ends. */
void fuzz_begin(void (*seeds)(void));
void fuzz_seed(struct mg_bytes bytes);

/* An input as items: two bytes of length (big-endian; less when less is left), then so many bytes. */
struct fuzz_input {
    struct mg_bytes rest;
};
uint8_t fuzz_byte(struct fuzz_input *input); /* 0 at the end */
bool fuzz_item(struct fuzz_input *input, struct mg_bytes *item); /* false at the end */
void fuzz_put_item(struct mg_buf *seed, struct mg_bytes item);

#endif
