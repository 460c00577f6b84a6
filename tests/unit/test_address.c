/*
 * test_address.c - HOST:PORT as people type it, right and wrong.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/daemon.h"

struct reading {
    const char *text, *host, *again;
    uint16_t port;
};

static void an_address_is_read_and_written_back(void **state)
{
    (void)state;
    const struct reading readings[] = {
        {"hub.example.org:7447", "hub.example.org", "hub.example.org:7447", 7447},
        {"hub", "hub", "hub:7447", 7447},
        {"hub_2-x:1", "hub_2-x", "hub_2-x:1", 1},
        {"192.0.2.1:65535", "192.0.2.1", "192.0.2.1:65535", 65535},
        {"192.0.2.1", "192.0.2.1", "192.0.2.1:7447", 7447},
        {"[::1]:80", "::1", "[::1]:80", 80},
        {"[2001:db8::7]", "2001:db8::7", "[2001:db8::7]:7447", 7447},
        {"[fe80::1%eth0]:7", "fe80::1%eth0", "[fe80::1%eth0]:7", 7},
        {"hub:00443", "hub", "hub:443", 443},
    };
    for (size_t i = 0; i < sizeof readings / sizeof readings[0]; i++) {
        struct mg_address address;
        struct mg_error err;
        char text[MG_ADDRESS_TEXT_MAX];
        assert_int_equal(mg_address_parse(readings[i].text, false, &address, &err), MG_OK);
        assert_string_equal(address.host, readings[i].host);
        assert_int_equal(address.port, readings[i].port);
        mg_address_format(&address, text);
        assert_string_equal(text, readings[i].again);
    }
}

static void a_typing_error_is_named_before_any_network_is_asked(void **state)
{
    (void)state;
    const char *const wrong[][2] = {
        {"", "host is missing"},
        {":7447", "host is missing"},
        {"hub:", "not a port"},
        {"hub:0", "not a port"},
        {"hub:65536", "not a port"},
        {"hub:999999", "not a port"},
        {"hub:-1", "not a port"},
        {"hub: 80", "not a port"},
        {"hub:80x", "not a port"},
        {"2001:db8::7", "in brackets"},
        {"2001:db8::7:80", "in brackets"},
        {"[2001:db8::7", "not closed"},
        {"[2001:db8::7]80", "after the bracket"},
        {"[hub]:80", "not an IPv6"},
        {"[192.0.2.1]:80", "not an IPv6"},
        {"[]:80", "not an IPv6"},
        {"[::1%]:80", "not an IPv6"},
        {"300.0.2.1:80", "not an IPv4"},
        {"1.2.3:80", "not an IPv4"},
        {"http://hub:80", "in brackets"},
        {"hub example:80", "not a host name"},
        {"hub/x:80", "not a host name"},
        {"-hub:80", "not a host name"},
        {"h\xc3\xb4te:80", "not a host name"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct mg_address address = {.port = 9};
        struct mg_error err = {{0}};
        assert_int_equal(mg_address_parse(wrong[i][0], false, &address, &err), MG_USAGE);
        if (strstr(err.text, wrong[i][1]) == NULL) fail_msg("%s: %s", wrong[i][0], err.text);
        assert_int_equal(address.port, 9); /* untouched */
    }
}

static void a_long_host_is_refused_and_fits_its_sentence(void **state)
{
    (void)state;
    struct mg_address address;
    struct mg_error err;
    char text[2000];
    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    assert_int_equal(mg_address_parse(text, false, &address, &err), MG_USAGE);
    text[254] = '\0';
    assert_int_equal(mg_address_parse(text, false, &address, &err), MG_USAGE);
    text[253] = '\0';
    assert_int_equal(mg_address_parse(text, false, &address, &err), MG_OK);
    memset(text, '1', 1000);
    text[0] = '[';
    text[1000] = ']';
    assert_int_equal(mg_address_parse(text, false, &address, &err), MG_USAGE);
}

static void only_a_listener_may_ask_for_a_free_port(void **state)
{
    (void)state;
    struct mg_address address;
    struct mg_error err;
    assert_int_equal(mg_address_parse("127.0.0.1:0", true, &address, &err), MG_OK);
    assert_int_equal(address.port, 0);
    assert_int_equal(mg_address_parse("127.0.0.1:0", false, &address, &err), MG_USAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_is_read_and_written_back),
        cmocka_unit_test(a_typing_error_is_named_before_any_network_is_asked),
        cmocka_unit_test(a_long_host_is_refused_and_fits_its_sentence),
        cmocka_unit_test(only_a_listener_may_ask_for_a_free_port),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
