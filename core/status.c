/*
 * status.c - a refusal becomes a sentence, and a bug becomes the end of the process.
 */
#include "core/status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A sentence cut short must still be text: a character that was cut in two goes as a whole. */
static void drop_cut_character(char *text, size_t len)
{
    size_t start = len;
    while (start > 0 && ((unsigned char)text[start - 1] & 0xc0U) == 0x80U) start--;
    if (start == 0) return;
    unsigned lead = (unsigned char)text[start - 1];
    size_t need = lead >= 0xf0U ? 4 : lead >= 0xe0U ? 3 : lead >= 0xc0U ? 2 : 1;
    if (len - (start - 1) < need) text[start - 1] = '\0';
}

void mg_error_say(struct mg_error *err, const char *format, ...)
{
    if (err == NULL) return;

    va_list args;
    va_start(args, format);
    int wanted = vsnprintf(err->text, sizeof err->text, format, args);
    va_end(args);
    if (wanted < 0) err->text[0] = '\0';
    if (wanted >= (int)sizeof err->text) drop_cut_character(err->text, sizeof err->text - 1);
}

int mg_exit_status(mg_status status)
{
    /* Bytes that break PROTOCOL.md are, for the person at the keyboard, data that was refused. */
    return status == MG_BAD_BYTES ? MG_REFUSED : (int)status;
}

void mg_bug(const char *file, int line, const char *what)
{
    (void)fprintf(stderr, "%s:%d: this should never happen: %s\n", file, line, what);
    abort();
}
