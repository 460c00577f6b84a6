/*
 * daemon.h - the front door of daemon/: the part that touches the world.
 *
 * Four things: dial the hub once and block until the session is over (what `sync`
 * and `join` do), ask a running maillaged to do it, run maillaged itself (hub or
 * node), and run the fault relay that tests and the demo put in between. Other
 * folders include this and nothing else of daemon/.
 */
#ifndef MG_DAEMON_DAEMON_H
#define MG_DAEMON_DAEMON_H

#include <stdatomic.h>

#include "core/core.h"
#include "sync/sync.h"

/* --- addresses: HOST:PORT --- */

enum { MG_HOST_MAX = 255, MG_DEFAULT_PORT = 7447 };

struct mg_address {
    char host[MG_HOST_MAX + 1]; /* a name, an IPv4 address, or an IPv6 address without brackets */
    uint16_t port;
};

/* Reads "name:7447", "192.0.2.1:7447" or "[2001:db8::1]:7447". Without ":PORT" the port is
 * MG_DEFAULT_PORT. Port 0 only when LISTENING (a free one). MG_USAGE with what is wrong. */
mg_status mg_address_parse(const char *text, bool listening, struct mg_address *address,
                           struct mg_error *err) MG_MUST_CHECK;

/* The reverse: brackets around what holds a colon. TEXT has room for MG_ADDRESS_TEXT_MAX. */
enum { MG_ADDRESS_TEXT_MAX = MG_HOST_MAX + 10 };
void mg_address_format(const struct mg_address *address, char text[MG_ADDRESS_TEXT_MAX]);

/* --- one session with the hub, blocking --- */

/* How a session went; also how far it is, for a progress line. */
struct mg_dial_result {
    int64_t pushed;                     /* own commits that got a receipt */
    int64_t pulled;                     /* commits received and applied */
    int64_t bytes_sent, bytes_received; /* on the wire, everything of ours counted */
    int64_t round_trips;
    struct mg_position cursor;
    bool complete;      /* the hub's END was reached; false when a budget ended the session early */
    bool digests_agree, verdicts_agree; /* only say something when complete */
    int64_t waiting;    /* own commits without a receipt */
    int64_t retry_s;    /* the hub said when to call again: in so many seconds; 0: it did not */
    double seconds;
};

struct mg_dial_options {
    const char *address; /* HOST:PORT; NULL: the identity's hub_address */
    int64_t max_bytes;   /* both ways together; 0: no budget */
    int64_t max_ms;      /* 0: no budget */
    enum mg_trigger trigger; /* for the run report; asked when nothing is said */
    int64_t since_s;     /* of a run by itself: goes on with one that began at or after this (core/runs.h) */

    /* All may be NULL. PROGRESS is called from this thread, at most a few times a second. STOP: the
     * session ends early, as after a budget, soon after another thread has set it. */
    void (*progress)(void *context, const struct mg_dial_result *so_far);
    void *context;
    const atomic_bool *stop;
};

/* One session of STORE's node with its hub. Takes DIR/sync.lock for its duration (MG_STORAGE when
 * another process has it). No transaction may be open on STORE. RESULT is filled as far as the
 * session went, also when it failed. MG_UNREACHABLE: no connection, or it broke: what was
 * acknowledged stays. MG_DENIED: refused, or what answers is not our hub. A failure is also kept
 * in the store, for `status`. Not complete (budget) is MG_OK with result->complete false;
 * differing digests are MG_OK with digests_agree false: the caller decides what to say. */
mg_status mg_dial_sync(struct mg_store *store, const struct mg_dial_options *options,
                       struct mg_dial_result *result, struct mg_error *err) MG_MUST_CHECK;

/* Whether the hub answers, and what it says: nothing is exchanged, and the store is as before, `status` too.
 * As mg_dial_sync otherwise. */
struct mg_probe {
    int64_t hub_time;  /* ms; 0: not said, because of FORGETFUL */
    bool forgetful;    /* it was restored, and asks what it has lost */
    double seconds;    /* until it had answered */
};
mg_status mg_dial_probe(struct mg_store *store, struct mg_probe *probe, struct mg_error *err) MG_MUST_CHECK;

/* Makes DIR a node: draws its keys, presents the invitation, and creates the store once the hub
 * has said yes. The keys wait in DIR/join.keys (mode 0600) meanwhile, so that running it again
 * after a broken link presents the same keys and gets the same answer. DIR is created when it
 * does not exist. MG_REFUSED: DIR is a node already. MG_DENIED: invitation unknown, used, expired,
 * or what answers is not the hub that wrote it. No first session: call mg_dial_sync after. STOP (may
 * be NULL): MG_UNREACHABLE soon after it is set, unless the hub has answered. */
mg_status mg_dial_enrol(const char *dir, const struct mg_invitation *invitation,
                        const struct mg_env *env, const atomic_bool *stop,
                        struct mg_error *err) MG_MUST_CHECK;

/* --- a session by the maillaged that runs on DIR --- */

/* Asks it through DIR/control.sock and waits for the end. *RUNNING false (and MG_OK): none runs
 * here, dial yourself. options->progress is not used; after options->stop MG_STOPPED: the session goes on
 * there. Otherwise as mg_dial_sync. */
mg_status mg_control_sync(const char *dir, const struct mg_dial_options *options, bool *running,
                          struct mg_dial_result *result, struct mg_error *err) MG_MUST_CHECK;

/* --- bundles as files: what `bundle out` and `bundle in` do [P 10] --- */

struct mg_bundle_result {
    struct mg_dial_result figures;
    struct mg_bundle_report report;
    char node[MG_NAME_MAX + 1]; /* at the hub: whose bundle it is, once that is known */
};

/* Writes a bundle of all that has no receipt to PATH: whole under that name, or not at all. Takes sync.lock.
 * MG_STORAGE: it cannot be written there. MG_FAILED: PATH is there and no bundle. MG_STOPPED: PROGRESS (may be NULL)
 * said so, and nothing is left there. */
mg_status mg_bundle_write(struct mg_store *store, const char *path, const struct mg_progress *progress, struct mg_bundle_result *result,
                          struct mg_error *err) MG_MUST_CHECK;

/* Takes the bundle PATH in. On the hub the answer is written to ANSWER; its maillaged may run or not.
 * MG_REFUSED: it is not for here; MG_BAD_BYTES: damaged or cut; MG_DENIED: the hub does not admit its node. What was
 * taken before stays, and RESULT says how much; so also when PROGRESS (may be NULL) says stop. */
mg_status mg_bundle_take(struct mg_store *store, const char *path, const char *answer, const struct mg_progress *progress,
                         struct mg_bundle_result *result, struct mg_error *err) MG_MUST_CHECK;

/* --- maillaged --- */

struct mg_daemon_options {
    const char *dir;
    const char *listen; /* HOST:PORT; NULL: 0.0.0.0:7447; MG_USAGE when given on a node */
    const struct mg_env *env;     /* NULL: the system's; borrowed until the end */
    int connections_max;          /* 0: 512 */
    int connections_per_host_max; /* 0: 64 */
};

/* Runs until SIGTERM or SIGINT. Prints `listening on HOST:PORT` (hub) or `ready` (node) on stderr
 * when it serves. MG_STORAGE: another maillaged runs on DIR, or its store cannot be opened. */
mg_status mg_daemon_run(const struct mg_daemon_options *options,
                        struct mg_error *err) MG_MUST_CHECK;

/* A maillaged runs on DIR: a node's, which is what listens to control.sock. */
bool mg_control_is_running(const char *dir);

/* --- clocks --- */

/* The machine's zone, as an mg_night_offset. */
int mg_local_offset_s(void *context, int64_t utc_s);
/* The machine's clocks and zone at this moment, moved as ENV is. */
void mg_local_clock(const struct mg_env *env, struct mg_night_clock *clock);

/* For trials (moved_clock.c): *ENV with a clock moved by the seconds that FILE holds; FILE is borrowed while the process
 * lives. NULL: the system's. MG_USAGE: FILE holds no number. */
mg_status mg_env_moved(const char *file, const struct mg_env **env, struct mg_error *err) MG_MUST_CHECK;

/* *RUNS: a maillaged holds DIR. MG_FAILED: one does, and a node's control socket does not let us in. */
mg_status mg_daemon_runs(const char *dir, bool hub, bool *runs, struct mg_error *err) MG_MUST_CHECK;

/* --- a program's start --- */

/* A descriptor of 0 to 2 that is closed would be given to the next file opened, and then a message
 * would be written into the database. It becomes /dev/null, opened in MODE: O_RDONLY where writing
 * is to fail, O_RDWR where nobody minds. */
void mg_keep_standard_streams(int mode);

/* DIR as the environment says it, in BUFFER where it is put together; NULL when nothing says it. */
const char *mg_default_dir(char *buffer, size_t size);

/* --- the fault relay: a bad network on one machine --- */

struct mg_relay_options {
    const char *listen; /* loopback only; NULL: 127.0.0.1:0 */
    const char *target; /* loopback only */
    int64_t delay_ms;   /* each way */
    int64_t rate_kbit;  /* each way of each connection, thousands of bits a second; 0: no limit */
    int64_t cut_up;     /* cut the connection after so many bytes towards the target; 0: never */
    int64_t cut_down;   /* the same, from the target */
    bool cut_always;    /* cut every connection; otherwise only the first that gets so far */
    int64_t corrupt_ppm; /* of a million bytes, so many get one bit flipped */
    int64_t drop_percent; /* of a hundred connections, so many are closed at once */
    uint64_t seed;       /* draws what is corrupted and dropped: same seed, same draws */
};

/* Runs until SIGTERM or SIGINT. Prints `relay listening on HOST:PORT` on stderr when it serves. */
mg_status mg_relay_run(const struct mg_relay_options *options, struct mg_error *err) MG_MUST_CHECK;

#endif
