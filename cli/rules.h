/*
 * rules.h - what the verbs of `rules` share: a pack from a file, facts from a document, the verdict document.
 */
#ifndef MG_CLI_RULES_H
#define MG_CLI_RULES_H

#include <jansson.h>

#include "cli/cli.h"
#include "core/core.h"

/* The whole of FILE, "-" for standard input, at most MAX bytes. The caller frees text->data. */
mg_status mg_read_whole(const char *file, size_t max, struct mg_bytes *text, struct mg_error *err) MG_MUST_CHECK;

/* Reads and compiles a pack's file, without running its cases. Gives *PACK. */
mg_status mg_rules_open(const char *file, struct mg_pack **pack, struct mg_error *err) MG_MUST_CHECK;

/* --as-of DATE: MG_USAGE when it is no date. */
mg_status mg_rules_as_of(const char *text, struct mg_date *as_of, struct mg_error *err) MG_MUST_CHECK;

/* FACTS.json of CLI.md into FACTS, which is initialised. FILE is for sentences. */
mg_status mg_rules_facts(const char *file, struct mg_bytes text, struct mg_facts *facts, struct mg_error *err) MG_MUST_CHECK;

/* The language of messages, as gettext would choose it. */
bool mg_speaks_french(void);

/* Prints it: the document of CLI.md with --json, else for people in their language. */
void mg_rules_print(const struct mg_cli *cli, const struct mg_pack_info *pack, struct mg_date as_of,
                    const struct mg_verdict *verdict);

#endif
