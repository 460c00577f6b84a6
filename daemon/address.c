/*
 * address.c - HOST:PORT as a person types it.
 *
 * Everything that can be wrong with it is said here, before any name is looked up,
 * so that a typing error never looks like a network that is down.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "daemon/daemon.h"

enum { NAME_MAX_LEN = 253 /* RFC 1035, 2.3.4, without the final dot */ };

static mg_status parse_port(const char *text, bool listening, uint16_t *port, struct mg_error *err)
{
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 5 || text[digits] != '\0')
        return mg_fail(err, MG_USAGE, "\"%.40s\" is not a port: write a number from 1 to 65535",
                       text);
    unsigned value = 0;
    for (size_t i = 0; i < digits; i++) value = value * 10 + (unsigned)(text[i] - '0');
    if (value > UINT16_MAX || (value == 0 && !listening))
        return mg_fail(err, MG_USAGE, "%u is not a port: write a number from 1 to 65535", value);
    *port = (uint16_t)value;
    return MG_OK;
}

static bool is_name_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_';
}

static bool is_ipv6(const char *host)
{
    struct in6_addr unused;
    char bare[INET6_ADDRSTRLEN];
    size_t len = strcspn(host, "%"); /* fe80::1%eth0: the zone is the system's to judge */
    if (len >= sizeof bare || (host[len] == '%' && host[len + 1] == '\0')) return false;
    memcpy(bare, host, len);
    bare[len] = '\0';
    return inet_pton(AF_INET6, bare, &unused) == 1;
}

/* A host without brackets: a name or an IPv4 address. */
static mg_status check_host(const char *host, struct mg_error *err)
{
    size_t len = strlen(host);
    if (len == 0)
        return mg_fail(err, MG_USAGE, "an address is written HOST:PORT; the host is missing");
    if (len > NAME_MAX_LEN)
        return mg_fail(err, MG_USAGE, "the host name is too long (%zu bytes)", len);
    for (size_t i = 0; i < len; i++)
        if (!is_name_byte(host[i]))
            return mg_fail(err, MG_USAGE,
                           "\"%.100s\" is not a host name: byte %zu cannot be in one", host, i + 1);
    if (host[0] == '-' || host[0] == '.')
        return mg_fail(err, MG_USAGE, "\"%.100s\" is not a host name: it starts with \"%c\"", host,
                       host[0]);
    struct in_addr unused;
    if (strspn(host, "0123456789.") == len && inet_pton(AF_INET, host, &unused) != 1)
        return mg_fail(err, MG_USAGE, "\"%.100s\" is not an IPv4 address", host);
    return MG_OK;
}

static mg_status parse_bracketed(const char *text, struct mg_address *out, const char **rest,
                                 struct mg_error *err)
{
    const char *close = strchr(text, ']');
    if (close == NULL) return mg_fail(err, MG_USAGE, "\"%.100s\": the bracket is not closed", text);
    size_t len = (size_t)(close - text) - 1;
    if (len > MG_HOST_MAX) return mg_fail(err, MG_USAGE, "the address in brackets is too long");
    memcpy(out->host, text + 1, len);
    out->host[len] = '\0';
    if (!is_ipv6(out->host))
        return mg_fail(err, MG_USAGE, "\"%.100s\" is not an IPv6 address", out->host);
    *rest = close + 1;
    return MG_OK;
}

static mg_status parse_plain(const char *text, struct mg_address *out, const char **rest,
                             struct mg_error *err)
{
    size_t len = strcspn(text, ":");
    if (text[len] == ':' && strchr(text + len + 1, ':') != NULL)
        return mg_fail(err, MG_USAGE,
                       "\"%.100s\": write an IPv6 address in brackets, as in [::1]:%d", text,
                       MG_DEFAULT_PORT);
    if (len > MG_HOST_MAX)
        return mg_fail(err, MG_USAGE, "the host name is too long (%zu bytes)", len);
    memcpy(out->host, text, len);
    out->host[len] = '\0';
    *rest = text + len;
    return check_host(out->host, err);
}

mg_status mg_address_parse(const char *text, bool listening, struct mg_address *address,
                           struct mg_error *err)
{
    struct mg_address out = {.port = MG_DEFAULT_PORT};
    const char *rest = "";
    mg_status status = text[0] == '[' ? parse_bracketed(text, &out, &rest, err)
                                      : parse_plain(text, &out, &rest, err);
    if (status != MG_OK) return status;
    if (*rest == ':') {
        status = parse_port(rest + 1, listening, &out.port, err);
        if (status != MG_OK) return status;
    } else if (*rest != '\0') {
        return mg_fail(err, MG_USAGE, "\"%.100s\": after the bracket comes :PORT", text);
    }
    *address = out;
    return MG_OK;
}

void mg_address_format(const struct mg_address *address, char text[MG_ADDRESS_TEXT_MAX])
{
    bool bracketed = strchr(address->host, ':') != NULL;
    snprintf(text, MG_ADDRESS_TEXT_MAX, bracketed ? "[%s]:%u" : "%s:%u", address->host,
             (unsigned)address->port);
}
