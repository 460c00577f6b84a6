/*
 * main.c - a target without libFuzzer: every file of the directories that are named goes through it once.
 *
 * So what fuzzing ever found is tried in every build, by every compiler.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/fuzzing.h"

enum { INPUT_MAX = 1024 * 1024 };

static bool run_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    uint8_t *room = malloc(INPUT_MAX);
    size_t len = file != NULL && room != NULL ? fread(room, 1, INPUT_MAX, file) : 0;
    bool whole = file != NULL && room != NULL && feof(file) != 0;
    uint8_t *bytes = whole ? malloc(len > 0 ? len : 1) : NULL; /* its own, so that reading past its end is seen */
    if (bytes == NULL) fprintf(stderr, "%s cannot be read\n", path);
    else {
        for (size_t i = 0; i < len; i++) bytes[i] = room[i];
        fprintf(stderr, "%s\n", path);
        (void)LLVMFuzzerTestOneInput(bytes, len);
    }
    free(bytes);
    free(room);
    if (file != NULL) (void)fclose(file);
    return bytes != NULL;
}

int main(int argc, char **argv)
{
    int done = 0;
    (void)LLVMFuzzerInitialize(&argc, &argv);
    for (int i = 1; i < argc; i++) {
        DIR *dir = opendir(argv[i]);
        char path[600];
        for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
            if (entry->d_name[0] == '.') continue;
            if (snprintf(path, sizeof path, "%s/%s", argv[i], entry->d_name) >= (int)sizeof path || !run_file(path)) return 1;
            done++;
        }
        if (dir != NULL) (void)closedir(dir);
    }
    if (done == 0) fprintf(stderr, "there is no input\n");
    return done > 0 ? 0 : 1;
}
