/*
 * files.h - small moves in a directory, each on the disk when it returns.
 */
#ifndef MG_CORE_FILES_H
#define MG_CORE_FILES_H

#include <stdbool.h>

#include "core/status.h"

/* DIR/NAME; yours to free. */
char *mg_path_in(const char *dir, const char *name);

/* DIR and the directories above it; those made are the owner's only. */
mg_status mg_dir_make(const char *dir, struct mg_error *err) MG_MUST_CHECK;
/* Names made, changed and removed in DIR so far survive a power cut. */
mg_status mg_dir_sync(const char *dir, struct mg_error *err) MG_MUST_CHECK;

/* Inside DIR. Renaming is durable when it returns; removing what is not there is fine. */
bool mg_has_file(const char *dir, const char *name);
mg_status mg_rename_in(const char *dir, const char *from, const char *to, struct mg_error *err) MG_MUST_CHECK;
void mg_remove_in(const char *dir, const char *name);

#endif
