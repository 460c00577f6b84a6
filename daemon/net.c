/*
 * net.c - names, listening, and libuv's error codes as sentences that say what to do.
 */
#include "daemon/net.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

mg_status mg_net_resolve_fail(struct mg_error *err, const char *host, int code)
{
    switch (code) {
    case UV_EAI_NONAME:
    case UV_EAI_NODATA:
    case UV_EAI_ADDRFAMILY:
        return mg_fail(err, MG_UNREACHABLE,
                       "the name %s is unknown: check its spelling, and that this "
                       "computer is connected",
                       host);
    case UV_EAI_AGAIN:
        return mg_fail(err, MG_UNREACHABLE,
                       "the name %s could not be looked up: is this computer "
                       "connected?",
                       host);
    default:
        return mg_fail(err, MG_UNREACHABLE, "the name %s could not be looked up: %s", host,
                       uv_strerror(code));
    }
}

mg_status mg_net_connect_fail(struct mg_error *err, const char *address, int code)
{
    switch (code) {
    case UV_ECONNREFUSED:
        return mg_fail(err, MG_UNREACHABLE,
                       "%s refuses the connection: is maillaged running on the hub, "
                       "and is this its address and port?",
                       address);
    case UV_ETIMEDOUT:
        return mg_fail(err, MG_UNREACHABLE,
                       "%s does not answer: check the network and the address, then "
                       "run again",
                       address);
    case UV_ENETUNREACH:
    case UV_EHOSTUNREACH:
    case UV_EADDRNOTAVAIL:
        return mg_fail(err, MG_UNREACHABLE,
                       "there is no way to %s from here: is this computer "
                       "connected?",
                       address);
    default:
        return mg_fail(err, MG_UNREACHABLE, "no connection to %s: %s", address, uv_strerror(code));
    }
}

mg_status mg_net_resolve(const char *text, bool listening, struct sockaddr_storage *address,
                         struct mg_error *err)
{
    struct mg_address parsed;
    mg_status status = mg_address_parse(text, listening, &parsed, err);
    if (status != MG_OK) return status;

    char port[8];
    snprintf(port, sizeof port, "%u", (unsigned)parsed.port);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = listening ? AI_PASSIVE : 0};
    uv_getaddrinfo_t request;
    uv_loop_t loop; /* only named by the request: without a callback libuv looks up at once */
    if (uv_loop_init(&loop) != 0) return mg_fail(err, MG_FAILED, "no event loop can be made");
    int code = uv_getaddrinfo(&loop, &request, NULL, parsed.host, port, &hints);
    if (code == 0) {
        *address = (struct sockaddr_storage){0};
        memcpy(address, request.addrinfo->ai_addr, request.addrinfo->ai_addrlen);
        uv_freeaddrinfo(request.addrinfo);
    }
    uv_loop_close(&loop);
    return code == 0 ? MG_OK : mg_net_resolve_fail(err, parsed.host, code);
}

bool mg_net_is_loopback(const struct sockaddr_storage *address)
{
    if (address->ss_family == AF_INET) {
        struct sockaddr_in four;
        memcpy(&four, address, sizeof four);
        return ntohl(four.sin_addr.s_addr) >> 24 == 127;
    }
    struct sockaddr_in6 six;
    memcpy(&six, address, sizeof six);
    return address->ss_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&six.sin6_addr);
}

void mg_net_format(const struct sockaddr_storage *address, char text[MG_ADDRESS_TEXT_MAX])
{
    struct mg_address out = {.host = "?"};
    if (address->ss_family == AF_INET) {
        struct sockaddr_in four;
        memcpy(&four, address, sizeof four);
        uv_ip4_name(&four, out.host, sizeof out.host);
        out.port = ntohs(four.sin_port);
    } else if (address->ss_family == AF_INET6) {
        struct sockaddr_in6 six;
        memcpy(&six, address, sizeof six);
        uv_ip6_name(&six, out.host, sizeof out.host);
        out.port = ntohs(six.sin6_port);
    }
    mg_address_format(&out, text);
}

mg_status mg_net_listen(uv_tcp_t *listener, const struct sockaddr_storage *address, int backlog,
                        uv_connection_cb on_connection, char text[MG_ADDRESS_TEXT_MAX],
                        struct mg_error *err)
{
    struct sockaddr_storage real = {0};
    int len = (int)sizeof real;
    mg_net_format(address, text);
    int code = uv_tcp_bind(listener, (const struct sockaddr *)address, 0);
    if (code == 0) code = uv_listen((uv_stream_t *)listener, backlog, on_connection);
    if (code == 0) code = uv_tcp_getsockname(listener, (struct sockaddr *)&real, &len);
    if (code == UV_EADDRINUSE)
        return mg_fail(err, MG_FAILED,
                       "another program listens on %s: end it, or choose another port "
                       "with --listen",
                       text);
    if (code == UV_EACCES)
        return mg_fail(err, MG_FAILED, "this user may not listen on %s: choose a port above 1023",
                       text);
    if (code == UV_EADDRNOTAVAIL)
        return mg_fail(err, MG_FAILED, "%s is not an address of this computer", text);
    if (code != 0)
        return mg_fail(err, MG_FAILED, "cannot listen on %s: %s", text, uv_strerror(code));
    mg_net_format(&real, text);
    return MG_OK;
}
