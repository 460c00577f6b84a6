/*
 * core.h - the front door of core/: the data.
 *
 * Schema, store, people's edits, and replication as operations on a store. Other
 * folders include this and nothing else of core/.
 */
#ifndef MG_CORE_CORE_H
#define MG_CORE_CORE_H

#include "core/archive.h"
#include "core/backup.h"
#include "core/buf.h"
#include "core/bundle.h"
#include "core/compress.h"
#include "core/ddl.h"
#include "core/edit.h"
#include "core/evolve.h"
#include "core/files.h"
#include "core/hash.h"
#include "core/hub.h"
#include "core/mp.h"
#include "core/night.h"
#include "core/plie/territory.h"
#include "core/progress.h"
#include "core/prune.h"
#include "core/replica.h"
#include "core/rules/report.h"
#include "core/rules/rules.h"
#include "core/runs.h"
#include "core/schema.h"
#include "core/snapshot/snapshot.h"
#include "core/status.h"
#include "core/store.h"
#include "core/verify.h"

#endif
