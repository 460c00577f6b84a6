/*
 * invitation.c - the line of text that a person carries, and the address in it. [P 3.4]
 *
 * Input: a byte, then the text; or, by that byte, what the text is made from, to which its check is added here: nobody would
 * guess it. What is read is, written again, what came, but for white space.
 */
#include <ctype.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/daemon.h"
#include "tests/support/fuzzing.h"

enum { TEXT_MAX = 2048, BYTES_MAX = 600, CHECK_LEN = 4 };

static void parse_address(const char *text, bool listening)
{
    struct mg_address address, again;
    struct mg_error err = {""};
    char written[MG_ADDRESS_TEXT_MAX];
    mg_status status = mg_address_parse(text, listening, &address, &err);
    FUZZ_HOLDS(status == MG_OK || (status == MG_USAGE && err.text[0] != '\0'));
    if (status != MG_OK) return;
    mg_address_format(&address, written);
    FUZZ_HOLDS(mg_address_parse(written, listening, &again, &err) == MG_OK);
    FUZZ_HOLDS(strcmp(again.host, address.host) == 0 && again.port == address.port);
}

static void read_invitation(const char *text)
{
    struct mg_invitation invitation;
    struct mg_error err = {""};
    char again[TEXT_MAX], bare[TEXT_MAX];
    size_t len = 0;
    mg_status status = mg_invitation_decode(text, &invitation, &err);
    FUZZ_HOLDS(status == MG_OK || (status == MG_USAGE && err.text[0] != '\0'));
    if (status != MG_OK) return;
    for (const char *at = text; *at != '\0'; at++)
        if (!isspace((unsigned char)*at)) bare[len++] = *at;
    bare[len] = '\0';
    FUZZ_HOLDS(mg_invitation_encode(&invitation, again, sizeof again, &err) == MG_OK);
    FUZZ_HOLDS(strcmp(bare, again) == 0);
    parse_address(invitation.hub_address, false);
}

/* The text of BYTES with the check that belongs to them. */
static void write_text(struct mg_bytes bytes, char text[TEXT_MAX])
{
    uint8_t whole[BYTES_MAX + CHECK_LEN], hash[MG_HASH_LEN];
    mg_hash("maillage invitation v1", bytes.data, bytes.len, hash, sizeof hash);
    if (bytes.len > 0) memcpy(whole, bytes.data, bytes.len);
    memcpy(whole + bytes.len, hash, CHECK_LEN);
    memcpy(text, "MLG1-", 6);
    sodium_bin2base64(text + 5, TEXT_MAX - 5, whole, bytes.len + CHECK_LEN, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct fuzz_input input = {{data, len}};
    char text[TEXT_MAX];
    uint8_t how = fuzz_byte(&input) % 3;
    if (input.rest.len > BYTES_MAX) return 0;
    if (how == 0) write_text(input.rest, text);
    else {
        if (input.rest.len > 0) memcpy(text, input.rest.data, input.rest.len);
        text[input.rest.len] = '\0';
    }
    if (how < 2) read_invitation(text);
    else {
        parse_address(text, false);
        parse_address(text, true);
    }
    return 0;
}

static void seeds(void)
{
    static const char *const addresses[] = {"hub.example:7447", "[2001:db8::1]:7447", "192.0.2.1", "[fe80::1%eth0]:1"};
    for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++) {
        struct mg_invitation invitation = {.expires = INT64_C(1790000000000) + (int64_t)i};
        uint8_t bytes[BYTES_MAX];
        char text[TEXT_MAX] = "\1";
        size_t bytes_len = 0;
        memcpy(invitation.hub_address, addresses[i], strlen(addresses[i]));
        memset(invitation.hub_noise, (int)i, MG_KEY_LEN);
        FUZZ_HOLDS(mg_invitation_encode(&invitation, text + 1, sizeof text - 1, NULL) == MG_OK);
        fuzz_seed((struct mg_bytes){(const uint8_t *)text, strlen(text)});
        FUZZ_HOLDS(sodium_base642bin(bytes + 1, sizeof bytes - 1, text + 6, strlen(text + 6), NULL, &bytes_len, NULL,
                                     sodium_base64_VARIANT_URLSAFE_NO_PADDING) == 0);
        bytes[0] = 0;
        fuzz_seed((struct mg_bytes){bytes, 1 + bytes_len - CHECK_LEN});
        text[0] = 2;
        memcpy(text + 1, addresses[i], strlen(addresses[i]) + 1);
        fuzz_seed((struct mg_bytes){(const uint8_t *)text, strlen(text)});
    }
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    fuzz_begin(seeds);
    return 0;
}
