/*
 * test_yaml.c - what the reader of packs takes, what it refuses and with which line, and what a scalar means.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "core/yaml.h"

static struct mg_yaml_document *read_bytes(const char *text, size_t len)
{
    struct mg_yaml_document *document = NULL;
    struct mg_error err = {""};
    if (mg_yaml_read((struct mg_bytes){(const uint8_t *)text, len}, "p.yaml", &document, &err) != MG_OK)
        fail_msg("refused: %s", err.text);
    return document;
}

static struct mg_yaml_document *take(const char *text)
{
    return read_bytes(text, strlen(text));
}

/* Exactly the memory of the text, so that a sanitizer sees a byte too far. */
static void refuse_bytes(const char *text, size_t len, const char *sentence)
{
    struct mg_yaml_document *document = (struct mg_yaml_document *)(uintptr_t)1;
    struct mg_error err = {""};
    uint8_t *copy = malloc(len > 0 ? len : 1);
    assert_non_null(copy);
    if (len > 0) memcpy(copy, text, len);
    assert_int_equal(mg_yaml_read((struct mg_bytes){copy, len}, "p.yaml", &document, &err), MG_REFUSED);
    free(copy);
    assert_null(document);
    if (strstr(err.text, sentence) == NULL) fail_msg("\"%s\" does not say \"%s\"", err.text, sentence);
}

static void refuse(const char *text, const char *sentence)
{
    refuse_bytes(text, strlen(text), sentence);
}

static void what_stands_for_more_than_it_says(void **state)
{
    (void)state;
    refuse("a: 1\nb: &x 2\n", "p.yaml:2: an anchor (&name); write the text out where it is used");
    refuse("a: &x\n  b: 1\n", "p.yaml:1: an anchor");
    refuse("a: &x [1]\n", "p.yaml:1: an anchor");
    refuse("a: 1\n&x b: 2\n", "p.yaml:2: an anchor");
    refuse("a: 1\nb: *x\n", "p.yaml:2: an alias (*name); write the text out");
    refuse("a: 1\n*x : 2\n", "p.yaml:2: ");
    refuse("a: !!str 1\n", "p.yaml:1: a tag (!name); write the plain value");
    refuse("a: !x {b: 1}\n", "p.yaml:1: a tag");
    refuse("a: ! 1\n", "p.yaml:1: a tag");
    refuse("a: 1\n!!str b: 2\n", "p.yaml:2: a tag");
    refuse("!!map {a: 1}\n", "p.yaml:1: a tag");
    refuse("a:\n  b: 1\n  <<: {c: 2}\n", "p.yaml:3: a merge key (<<); write the entries out");
    refuse("%TAG ! tag:x,2020:\n--- !y\na: 1\n", "p.yaml:2: a tag");
}

static void names(void **state)
{
    (void)state;
    refuse("a: 1\nb: 2\na: 3\n", "p.yaml:3: `a` stands here twice, first on line 1");
    refuse("x: {a: 1, \"a\": 2}\n", "p.yaml:1: `a` stands here twice, first on line 1");
    refuse("[a]: 1\n", "p.yaml:1: a name is plain text");
    refuse("{a: 1}: 1\n", "p.yaml:1: a name is plain text");
    refuse("a: 1\n\"\": 2\n", "p.yaml:2: an entry without a name");
    mg_yaml_free(take("x: {a: 1}\ny: {a: 1}\n")); /* not in the same place */

    char *text = malloc(32 * 1024), *at = text;
    assert_non_null(text);
    for (int i = 0; i < 1001; i++) at += sprintf(at, "n%d: 1\n", i);
    refuse(text, "p.yaml:1001: too many names in one place");
    free(text);
}

static void depth_and_size(void **state)
{
    (void)state;
    char text[64];
    for (int depth = 15; depth <= 17; depth++) { /* and the scalar */
        memset(text, '[', (size_t)depth);
        text[depth] = '1';
        memset(text + depth + 1, ']', (size_t)depth);
        text[2 * depth + 1] = '\0';
        if (depth == 15) mg_yaml_free(take(text));
        else refuse(text, "p.yaml:1: too many levels inside each other");
    }
    char *large = malloc(MG_YAML_MAX + 1);
    assert_non_null(large);
    memset(large, ' ', MG_YAML_MAX + 1);
    memcpy(large, "a: 1\n#", 6);
    mg_yaml_free(read_bytes(large, MG_YAML_MAX));
    refuse_bytes(large, MG_YAML_MAX + 1, "p.yaml: 262145 bytes; a document has at most 262144");

    /* 50,000 entries and one more */
    memset(large, ' ', MG_YAML_MAX);
    for (int i = 0; i < 50000; i++) memcpy(large + (size_t)2 * (size_t)i, i == 0 ? "[1" : ",1", 2);
    large[100000] = ']';
    refuse_bytes(large, 100001, "p.yaml:1: the document has too many entries");
    large[99998] = ' ', large[99999] = ' ';
    mg_yaml_free(read_bytes(large, 100001));
    free(large);
}

static void bytes_that_are_no_text(void **state)
{
    (void)state;
    refuse_bytes("a: 1\nb: x\0y\n", 12, "p.yaml:2: not UTF-8 text");
    refuse("a: 1\nb: 2\nc: \"x\\0y\"\n", "p.yaml:3: a text has a NUL character in it");
    refuse("\"x\\0y\": 1\n", "p.yaml:1: a text has a NUL character in it");
    refuse("a: 1\n\nb: caf\xe9\n", "p.yaml:3: not UTF-8 text");
    refuse("a: \xc0\xaf\n", "p.yaml:1: not UTF-8 text");
    refuse("a: \xed\xa0\x80\n", "p.yaml:1: not UTF-8 text");
    refuse("a: 1\nb: \xe2\x82", "p.yaml:2: not UTF-8 text");
    refuse_bytes("\xff\xfe""a\0:\0", 6, "p.yaml:1: not UTF-8 text");
    refuse("a: \x01\n", "p.yaml:1: not YAML: ");

    struct mg_yaml_document *document = take("a: \xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\n");
    assert_string_equal(mg_yaml_get(mg_yaml_root(document), "a")->text, "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
    mg_yaml_free(document);
    document = take("\xef\xbb\xbf""a: 1\n"); /* as some editors begin a file */
    assert_non_null(mg_yaml_get(mg_yaml_root(document), "a"));
    mg_yaml_free(document);
}

static void one_document(void **state)
{
    (void)state;
    struct mg_yaml_document *document = NULL;
    struct mg_error err = {""};
    refuse("", "p.yaml:1: the document is empty");
    assert_int_equal(mg_yaml_read((struct mg_bytes){NULL, 0}, "p.yaml", &document, &err), MG_REFUSED); /* SQLite's empty text */
    assert_string_equal(err.text, "p.yaml:1: the document is empty");
    refuse("# nothing\n\n", ": the document is empty");
    refuse("a: 1\n---\nb: 2\n", "p.yaml:2: a second document; one file holds one");
    refuse("a: 1\n...\n---\n", "p.yaml:3: a second document");
    mg_yaml_free(take("---\na: 1\n...\n"));
    document = take("---\n");
    assert_true(mg_yaml_is_null(mg_yaml_root(document)));
    mg_yaml_free(document);
}

static void not_yaml(void **state)
{
    (void)state;
    refuse("a: 1\n\tb: 2\n", "p.yaml:2: not YAML: ");
    refuse("a: [1, 2\n", "not YAML: ");
    refuse("a: \"x\n", "not YAML: ");
    refuse("a: b: c\n", "p.yaml:1: not YAML: ");
    refuse("a: 1\n b: 2\n", "p.yaml:2: not YAML: ");
    refuse("a: }\n", "p.yaml:1: not YAML: ");
}

static void every_cut_of_a_document(void **state)
{
    (void)state;
    static const char text[] = "a: {b: [1, \"x\\n\", 'y'], c: ~}\nd: |\n  one\n  two\ne: caf\xc3\xa9\n- x\n";
    for (size_t len = 0; len < sizeof text; len++) {
        struct mg_yaml_document *document = NULL;
        struct mg_error err = {""};
        uint8_t *copy = malloc(len > 0 ? len : 1);
        assert_non_null(copy);
        memcpy(copy, text, len);
        if (mg_yaml_read((struct mg_bytes){copy, len}, "p.yaml", &document, &err) == MG_OK) mg_yaml_free(document);
        else assert_int_equal(strncmp(err.text, "p.yaml:", 7), 0);
        free(copy);
    }
}

static void lines(void **state)
{
    (void)state;
    struct mg_yaml_document *document = take("# first\na: 1\n\nb:\n  c: \"two\n    lines\"\n  d:\n    - x\n    - y: z\ne: {f: 1,\n  g: 2}\n");
    const struct mg_yaml *root = mg_yaml_root(document), *b = mg_yaml_get(root, "b"), *d = mg_yaml_get(b, "d");
    assert_int_equal(root->count, 3);
    assert_int_equal(mg_yaml_get(root, "a")->line, 2);
    assert_int_equal(b->key_line, 4);
    assert_int_equal(b->line, 5);
    assert_int_equal(mg_yaml_get(b, "c")->line, 5);
    assert_string_equal(mg_yaml_get(b, "c")->text, "two lines");
    assert_int_equal(d->first->line, 8);
    assert_null(d->first->key);
    assert_int_equal(d->first->next->line, 9);
    assert_int_equal(mg_yaml_get(mg_yaml_get(root, "e"), "g")->line, 11);
    assert_null(mg_yaml_get(root, "f"));
    assert_null(mg_yaml_get(d, "x"));
    assert_null(mg_yaml_get(NULL, "x"));
    mg_yaml_free(document);
    document = take("a: 1\r\nb: 2\r\n");
    assert_int_equal(mg_yaml_get(mg_yaml_root(document), "b")->line, 2);
    assert_string_equal(mg_yaml_get(mg_yaml_root(document), "b")->text, "2");
    mg_yaml_free(document);
    mg_yaml_free(NULL);
}

/* The first of a list of one. */
static bool int_of(const char *scalar, int64_t *number)
{
    char text[128];
    (void)snprintf(text, sizeof text, "[%s]", scalar);
    struct mg_yaml_document *document = take(text);
    bool is = mg_yaml_int(mg_yaml_root(document)->first, number);
    mg_yaml_free(document);
    return is;
}

static void integers(void **state)
{
    (void)state;
    static const struct { const char *text; int64_t number; } good[] = {
        {"0", 0}, {"-0", 0}, {"7", 7}, {"-7", -7}, {"1000", 1000}, {"9223372036854775807", INT64_MAX},
        {"-9223372036854775807", -INT64_MAX}, {"-9223372036854775808", INT64_MIN}};
    static const char *const bad[] = {
        "07", "-07", "00", "+7", "1_000", "1.0", "1e3", "0x10", "0o7", ".5", "-", "9223372036854775808",
        "-9223372036854775809", "99999999999999999999999", "\"7\"", "'7'", "7a", "true", "null", "~", "2020-01-01", "[1]"};
    int64_t number;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        number = 99;
        if (!int_of(good[i].text, &number) || number != good[i].number) fail_msg("%s is %lld", good[i].text, (long long)number);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (int_of(bad[i], &number)) fail_msg("%s is a number", bad[i]);
    assert_false(mg_yaml_int(NULL, &number));
}

static void truths_and_nothing(void **state)
{
    (void)state;
    struct mg_yaml_document *document =
        take("[true, false, True, yes, on, 1, \"true\", null, ~, Null, \"null\", \"\", '~', [], {}]");
    static const char kinds[] = "tf.....nn......"; /* true, false, nothing, neither */
    const struct mg_yaml *root = mg_yaml_root(document);
    const char *kind = kinds;
    assert_int_equal(root->count, strlen(kinds));
    MG_YAML_EACH(node, root) {
        bool value = false, is = mg_yaml_bool(node, &value);
        if (is != (*kind == 't' || *kind == 'f') || (is && value != (*kind == 't')) || mg_yaml_is_null(node) != (*kind == 'n'))
            fail_msg("entry %d is not %c", (int)(kind - kinds), *kind);
        kind++;
    }
    mg_yaml_free(document);
    document = take("a:\nb: 1\n");
    assert_true(mg_yaml_is_null(mg_yaml_get(mg_yaml_root(document), "a")));
    assert_true(mg_yaml_is_null(NULL));
    mg_yaml_free(document);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_stands_for_more_than_it_says), cmocka_unit_test(names), cmocka_unit_test(depth_and_size),
        cmocka_unit_test(bytes_that_are_no_text), cmocka_unit_test(one_document), cmocka_unit_test(not_yaml),
        cmocka_unit_test(every_cut_of_a_document), cmocka_unit_test(lines), cmocka_unit_test(integers),
        cmocka_unit_test(truths_and_nothing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
