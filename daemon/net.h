/*
 * net.h - what the hub, the dialer and the relay share of TCP.
 */
#ifndef MG_DAEMON_NET_H
#define MG_DAEMON_NET_H

#include <sys/socket.h>
#include <uv.h>

#include "daemon/daemon.h"

/* Looks TEXT up and gives its first address. Blocks: only where nothing else waits. */
mg_status mg_net_resolve(const char *text, bool listening, struct sockaddr_storage *address,
                         struct mg_error *err) MG_MUST_CHECK;

bool mg_net_is_loopback(const struct sockaddr_storage *address);

/* ADDRESS as HOST:PORT for people. */
void mg_net_format(const struct sockaddr_storage *address, char text[MG_ADDRESS_TEXT_MAX]);

/* Binds LISTENER (initialised) and listens; TEXT gets the real address, with its port. */
mg_status mg_net_listen(uv_tcp_t *listener, const struct sockaddr_storage *address, int backlog,
                        uv_connection_cb on_connection, char text[MG_ADDRESS_TEXT_MAX],
                        struct mg_error *err) MG_MUST_CHECK;

/* The sentence for a connection that was not made, or a name that was not found: CODE is libuv's.
 * Return MG_UNREACHABLE. */
mg_status mg_net_connect_fail(struct mg_error *err, const char *address, int code) MG_MUST_CHECK;
mg_status mg_net_resolve_fail(struct mg_error *err, const char *host, int code) MG_MUST_CHECK;

#endif
