/*
 * verbs.h - every verb of `maillage`, once.
 *
 * A row here is the dispatch, the help and the grammar of the verb's options (args.h).
 * The function lives in a file named after the verb.
 *
 * X(verb, function, group, fewest and most words, usage, summary, details)
 */
#ifndef MG_CLI_VERBS_H
#define MG_CLI_VERBS_H

#include "cli/cli.h"

#define MG_VERBS(X)                                                                               \
    X("add", mg_verb_add, MG_GROUP_ROWS, 1, -1, "TABLE [--scope SCOPE] [COLUMN=VALUE...]",        \
      "make a new row and print its id",                                                          \
      "The scope is only needed where it does not follow from the row or from the node, which\n"  \
      "may hold several. Values are written as `maillage schema TABLE` says: dates as\n"          \
      "2026-11-23, money in cents, yes and no as 1 and 0, a reference as the id of its row.")     \
    X("set", mg_verb_set, MG_GROUP_ROWS, 3, -1, "TABLE ID COLUMN=VALUE...",                       \
      "change columns of a row",                                                                  \
      "`COLUMN=` empties the column. All the columns given change together or not at all.")       \
    X("remove", mg_verb_remove, MG_GROUP_ROWS, 2, 2, "TABLE ID", "delete a row",                  \
      "What somebody else changes in the row meanwhile is not lost: the row comes back, and\n"    \
      "`maillage conflicts` lists it.")                                                           \
    X("show", mg_verb_show, MG_GROUP_ROWS, 2, 2, "TABLE ID", "print one row, every column",       \
      "With --json, an object.")                                                                  \
    X("list", mg_verb_list, MG_GROUP_ROWS, 1, -1, "TABLE [COLUMN=VALUE...]",                      \
      "print the rows of a table, by id",                                                         \
      "Only rows that have all the values given; `COLUMN=` finds those where it is empty.\n"      \
      "With --json, an array of objects.")                                                        \
    X("sql", mg_verb_sql, MG_GROUP_ROWS, 1, 1, "[--write] (QUERY | -)",                           \
      "run SQL on the node's own database",                                                       \
      "Without --write, one query that only reads; `-` reads it from standard input.\n"           \
      "With --write, one or more statements that change rows of the tables of `maillage\n"        \
      "schema`, in one transaction: all of them or none. The rows of the last statement that\n"   \
      "returns any are printed. The engine's own tables (mg_...) can be read, never written.")    \
    X("schema", mg_verb_schema, MG_GROUP_ROWS, 0, 1, "[TABLE] [--names]",                         \
      "print the tables, their columns, types and merge policies",                                \
      "--names prints only the names of the tables, or of the columns of TABLE, one a line.")     \
    X("join", mg_verb_join, MG_GROUP_SYNC, 1, 1, "CODE",                                          \
      "make the directory a node, by an invitation of the hub",                                   \
      "CODE is the line that `maillage hub invite` printed; it works once. Ends with a first\n"   \
      "session. When only that session fails, the node exists: run `maillage sync` later.")       \
    X("sync", mg_verb_sync, MG_GROUP_SYNC, 0, 0,                                                  \
      "[--hub HOST:PORT] [--max-bytes N] [--max-seconds N]",                                      \
      "exchange with the hub: one session",                                                       \
      "--hub calls another address than the invitation's; the hub must be the same one. A\n"      \
      "budget of bytes (both ways together) or seconds ends the session early and cleanly; the\n" \
      "next one goes on from there. When maillaged runs on the directory, it does the session.")  \
    X("bundle out", mg_verb_bundle_out, MG_GROUP_SYNC, 0, 0, "--to FILE",                         \
      "write a bundle for the hub to FILE, for where no network is",                              \
      "It holds all of this node's work that has no receipt, sealed to the hub: a lost one loses\n" \
      "nothing, the next carries it again. Take it there, run `maillage bundle in` there, and\n"  \
      "bring the answer back. Sessions may run in between.")                                      \
    X("bundle in", mg_verb_bundle_in, MG_GROUP_SYNC, 1, 1, "FILE [--answer FILE]",                \
      "take in a bundle (on the hub) or its answer (on a node)",                                  \
      "The hub takes what is new and writes the answer, receipts and news, to FILE.answer or to\n" \
      "the file that --answer names; its maillaged may run meanwhile. A node takes the answer to\n" \
      "a bundle that it wrote, and is then where a session would have brought it.")               \
    X("status", mg_verb_status, MG_GROUP_SYNC, 0, 0, "",                                          \
      "say where this node stands",                                                               \
      "It says `synchronised` only when the hub has signed for every commit of this node, and\n"  \
      "the digests agreed at the last complete session.")                                         \
    X("night", mg_verb_night, MG_GROUP_SYNC, 0, 0,                                                \
      "[--window HH:MM-HH:MM] [--max-bytes N] [--max-seconds N] [--on] [--off]",                  \
      "say when maillaged calls the hub by itself, or change it",                                 \
      "Every night once in the window (02:00-05:00 unless set otherwise, local time), at a\n"     \
      "minute of the node's own; after a sleep soon after waking. The budgets are those of one\n" \
      "session, 0 takes them away. A running maillaged minds a change within a minute. On the\n"  \
      "hub the window says when a night begins for `maillage hub night`.")                        \
    X("runs", mg_verb_runs, MG_GROUP_SYNC, 0, 1, "[NODE] [--last N]",                             \
      "list how sessions with the hub went",                                                      \
      "The newest 20, or N, oldest first. On the hub: of NODE (name or id), or of all nodes, as\n" \
      "far as they have told.")                                                                   \
    X("digest", mg_verb_digest, MG_GROUP_SYNC, 0, 0, "",                                          \
      "print the digest of each scope, one `SCOPE HEX` a line",                                   \
      "Two nodes with the same digest of a scope hold the same data in it. The root scope is\n"   \
      "printed as `/`.")                                                                          \
    X("log", mg_verb_log, MG_GROUP_TRAIL, 0, 2, "[TABLE ID | verify]",                            \
      "tell who changed what, when, with which receipt",                                          \
      "Oldest first; TABLE ID keeps to one row. `log verify` checks every hash, signature and\n"  \
      "receipt again, and ends with status 1 at the first that does not hold.")                   \
    X("prune", mg_verb_prune, MG_GROUP_TRAIL, 0, 0, "[--keep-days N] [--dry-run]",                  \
      "let go of old commits that the hub has in two backups",                                    \
      "Rows, conflicts and everything that merges need stay; the trail here becomes shorter, the\n" \
      "hub's stays whole. What the hub received in the last N days (30) stays too, and whatever\n" \
      "it has not said to be in its two newest verified backups. --dry-run only counts.")         \
    X("conflicts", mg_verb_conflicts, MG_GROUP_TRAIL, 0, 0, "",                                   \
      "list the cells that two people wrote without seeing each other's change",                  \
      "Each with all its values, who wrote them, and the commit to name to `resolve --take`.\n"   \
      "The column `row` stands for a row deleted here and changed there.")                        \
    X("resolve", mg_verb_resolve, MG_GROUP_TRAIL, 3, 3,                                           \
      "TABLE ID COLUMN (--value VALUE | --take COMMIT)", "settle a conflict",                     \
      "Either with a value of your own, or with the one that COMMIT wrote. For the column\n"      \
      "`row` the value is `kept` or `deleted`.")                                                  \
    X("report", mg_verb_report, MG_GROUP_RULES, 0, 1,                                             \
      "[NAME] [--scope SCOPE] [--from DATE] [--to DATE] [--as-of DATE] [--by WHAT] [--mask] [--csv]", \
      "print the indicators, against their targets",                                              \
      "NAME is a rule pack or a PLIE; without it, the packs of today. SCOPE is a PLIE or an\n"    \
      "antenna. WHAT divides the figures: antenna, commune, sex, level, prescriber, qpv,\n"       \
      "situation, year, quarter or month. At the hub, and with --mask, small counts of people\n"  \
      "in a breakdown are masked.")                                                               \
    X("rules list", mg_verb_rules_list, MG_GROUP_RULES, 0, 0, "",                                 \
      "list the rule packs and say which are in force here",                                      \
      "A pack is in force when the hub's signature holds and all its cases pass on this machine;\n" \
      "until then the one before it stays.")                                                      \
    X("rules check", mg_verb_rules_check, MG_GROUP_RULES, 1, 1, "ID --as-of DATE",                \
      "judge one participant as of a day, with the reasons",                                      \
      "By the pack of the PLIE that was valid on the day of the exit, else on DATE.")             \
    X("rules review", mg_verb_rules_review, MG_GROUP_RULES, 0, 0, "[--alerts]",                   \
      "list dossiers that break an invariant",                                                    \
      "Two referents at once, an exit before the entry, ...: what two honest edits may make when\n" \
      "they are merged. --alerts also lists the alerts of the packs.")                            \
    X("rules drift", mg_verb_rules_drift, MG_GROUP_RULES, 0, 0, "",                               \
      "list the verdicts that merges and new packs changed",                                      \
      "Oldest first, with the commit after which the verdict was another. `concurrent`: its\n"    \
      "author had not seen the last change of the dossier.")                                      \
    X("rules test", mg_verb_rules_test, MG_GROUP_RULES, 1, 1, "PACK.yaml",                        \
      "run the cases that a rule pack holds",                                                     \
      "Says what is wrong with the pack, with file and line, and ends with status 3 when it\n"    \
      "cannot be used. core/rules/PACKS.md tells how to write one. No node is needed.")           \
    X("rules eval", mg_verb_rules_eval, MG_GROUP_RULES, 2, 2, "PACK.yaml FACTS.json --as-of DATE", \
      "judge the facts in a file by the pack in a file",                                          \
      "FACTS.json is {\"participant\": {...}, \"situation\": [{...}], ...}, names as `maillage\n"  \
      "schema` prints them; `-` reads it from standard input. No node is needed.")                \
    X("rules publish", mg_verb_rules_publish, MG_GROUP_RULES, 1, 1, "PACK.yaml",                  \
      "on the hub: sign a pack and send it to every node",                                        \
      "All its cases are run first. It judges from then on, and `maillage rules drift` lists\n"   \
      "what it changed. Publishing the same pack id again replaces the pack.")                    \
    X("hub init", mg_verb_hub_init, MG_GROUP_HUB, 0, 0, "--name NAME",                            \
      "make the directory a hub",                                                                 \
      "With the antennas and communes of both PLIEs in place. Then: `maillaged --dir DIR`.")      \
    X("hub invite", mg_verb_hub_invite, MG_GROUP_HUB, 0, 0,                                       \
      "--name NODE --scope SCOPE [--scope SCOPE]... --hub HOST:PORT [--expires TIME]",            \
      "print a one-time invitation code for a new node",                                          \
      "HOST:PORT is where the node will find the hub. TIME is a number and m, h, d or w (72h is\n" \
      "the default). Whoever holds the code can join once: hand it over like a key.")             \
    X("hub nodes", mg_verb_hub_nodes, MG_GROUP_HUB, 0, 0, "",                                     \
      "list the nodes, their scopes and their last session",                                      \
      "`waiting` is what the node said it still had to send at that session.")                    \
    X("hub revoke", mg_verb_hub_revoke, MG_GROUP_HUB, 1, 1, "NODE",                               \
      "refuse a node from now on, by its name or id",                                             \
      "What it has sent stays. It is refused at its next call.")                                  \
    X("hub night", mg_verb_hub_night, MG_GROUP_HUB, 0, 0, "[--date DATE] [--silent-after TIME]",   \
      "tell what a night brought, one line an antenna",                                           \
      "The newest night that has begun, or the one of DATE. For a monitor: ends with status 1,\n" \
      "and says why, when an antenna has been silent for longer than TIME (3d; also m, h, w),\n"  \
      "owes commits, or does not hold the same data or verdicts.")                                \
    X("hub archive", mg_verb_hub_archive, MG_GROUP_HUB, 0, 0, "[--older-than TIME] [--dry-run]",    \
      "move the content of old commits to DIR/archive.db",                                        \
      "Only what the hub's two newest verified backups hold, and what was received longer ago than\n" \
      "TIME (400d; a number and m, h, d or w). `log` and `log verify` read both files, and so does\n" \
      "a session that needs it. `maillage backup` holds both.")                                    \
    X("hub migrate", mg_verb_hub_migrate, MG_GROUP_HUB, 1, 1, "FILE.yaml [--check]",              \
      "add tables and columns, or let more values into them, here and at every node",             \
      "--check says what is wrong with FILE.yaml, with file and line, and changes nothing. Nothing\n" \
      "is ever dropped, renamed or narrowed. FILE.yaml, with every kind of change:\n"             \
      "\n"                                                                                        \
      "  migration: 1                  # one after the other, from 1\n"                            \
      "  title: housing, and driving licences\n"                                                  \
      "  changes:\n"                                                                              \
      "    - table: housing\n"                                                                    \
      "      of: participant           # or plie: rows that its antennas share\n"                 \
      "    - add: housing.rent\n"                                                                 \
      "      type: cents               # text, date, month, int, cents, hours, bool, enum\n"      \
      "      max: 500000\n"                                                                       \
      "    - add: participant.driving_licence\n"                                                  \
      "      type: enum\n"                                                                        \
      "      values: [none, b]\n"                                                                 \
      "      policy: review            # or latest, max, min, immutable\n"                        \
      "    - widen: step.kind\n"                                                                  \
      "      values: [apprenticeship]\n"                                                          \
      "    - lengthen: employer.name\n"                                                           \
      "      max: 512")                                                                           \
    X("backup", mg_verb_backup, MG_GROUP_MORE, 0, 1, "(FILE [--replace] | --into DIR [--keep N])", \
      "keep everything in one file, read back and verified",                                      \
      "It is made while others work, and restores alone: its key is in it, so keep it as you\n"   \
      "keep the directory, on another disk. --replace overwrites an older backup of this node,\n" \
      "nothing else. --into makes a new file in DIR, named by the date, and --keep removes all\n" \
      "but the newest N (2 or more) of this node's.")                                             \
    X("restore", mg_verb_restore, MG_GROUP_MORE, 1, 1, "FILE [--force]",                          \
      "make the directory what it was when FILE was made",                                        \
      "FILE is verified before anything is put in place, and the directory must hold no node.\n"  \
      "--force sets the one it holds aside, as *.before-restore-DATE. Not while maillaged runs\n" \
      "on it. A restored node or hub is recognised at its next session, and what it forgot\n"     \
      "comes back from the other side.")                                                          \
    X("doctor", mg_verb_doctor, MG_GROUP_MORE, 0, 0, "",                                          \
      "check everything here and the way to the hub, and say what to do",                         \
      "Ends with 1 when there is a problem, with 7 when the store cannot be opened, and with 0\n"  \
      "when there are at most warnings. It changes nothing. With --json, an array of {check,\n"   \
      "state, text, advice}.")                                                                    \
    X("demo", mg_verb_demo, MG_GROUP_MORE, 0, 0, "[--seed N] [--keep DIR] [--small] [--bilan | --week]", \
      "show the main job from nothing: a hub, the antennas, a day offline, a night's sync",       \
      "Real processes on this machine's loopback, in a temporary directory that is removed at\n"  \
      "the end; --keep works in DIR and leaves it. Everybody in it is made up, from the seed.\n"  \
      "--small takes a tenth of the 1,450 dossiers. --bilan shows something else: the published\n"  \
      "results of 2013-2017 in Pays d'Aix, from dossiers entered in five basins; --week: five nights\n" \
      "that nobody attends, an antenna with a USB key, one that is away, a hub that loses its disk.\n" \
      "Ends with a failure when a check fails.")     \
    X("help", mg_verb_help, MG_GROUP_MORE, 0, 2, "[VERB] [--names] [--options]",                  \
      "list the verbs, or explain one",                                                           \
      "--names prints only the verbs, one a line; --options only the options of VERB. Both are\n" \
      "for the shell's completion.")                                                              \
    X("demo-fill", mg_verb_demo_fill, MG_GROUP_HIDDEN, 0, 0,                                      \
      "--antenna CODE --count N [--seed N] [--day] [--bilan]",                                              \
      "write COUNT made-up dossiers into an antenna, or with --day a day's interviews",           \
      "For trials: `demo` starts it in each antenna.")                                            \
    X("relay", mg_verb_relay, MG_GROUP_HIDDEN, 0, 0,                                              \
      "--to HOST:PORT [--listen HOST:PORT] [--delay MS] [--rate KBIT] [--cut-up BYTES]"           \
      " [--cut-down BYTES] [--cut-always] [--corrupt PPM] [--drop PERCENT] [--seed N]",           \
      "stand between a node and a hub as a bad network, on one machine",                          \
      "For trials: it delays, slows down, cuts and damages what passes through it.")

#define MG_X(words, function, ...)                                                                \
    mg_status function(struct mg_cli *cli, const struct mg_args *args, struct mg_error *err);
MG_VERBS(MG_X)
#undef MG_X

#endif
