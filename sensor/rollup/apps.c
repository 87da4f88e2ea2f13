/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/rollup/apps.h"

#include "sensor/tls/hello.h"

#include <strings.h>

static const char *const names[] = {
#define LAMP_APP(name, text) text,
#include "sensor/rollup/apps.def"
#undef LAMP_APP
};

const char *lamp_app_name(enum lamp_app app)
{
    return app < LAMP_APP_COUNT ? names[app] : "";
}

/* IANA's service names and port numbers, where they are what is found there. */
static const struct {
    uint16_t port;
    uint8_t ip_proto; /* 0: both */
    uint8_t app;
} ports[] = {
    { 21, LAMP_IPPROTO_TCP, LAMP_APP_FTP },
    { 22, LAMP_IPPROTO_TCP, LAMP_APP_SSH },
    { 23, LAMP_IPPROTO_TCP, LAMP_APP_TELNET },
    { 25, LAMP_IPPROTO_TCP, LAMP_APP_SMTP },
    { 53, 0, LAMP_APP_DNS },
    { 67, LAMP_IPPROTO_UDP, LAMP_APP_DHCP },
    { 68, LAMP_IPPROTO_UDP, LAMP_APP_DHCP },
    { 80, LAMP_IPPROTO_TCP, LAMP_APP_HTTP },
    { 88, 0, LAMP_APP_KERBEROS },
    { 110, LAMP_IPPROTO_TCP, LAMP_APP_POP3 },
    { 123, LAMP_IPPROTO_UDP, LAMP_APP_NTP },
    { 137, LAMP_IPPROTO_UDP, LAMP_APP_NETBIOS },
    { 138, LAMP_IPPROTO_UDP, LAMP_APP_NETBIOS },
    { 139, LAMP_IPPROTO_TCP, LAMP_APP_SMB },
    { 143, LAMP_IPPROTO_TCP, LAMP_APP_IMAP },
    { 161, LAMP_IPPROTO_UDP, LAMP_APP_SNMP },
    { 162, LAMP_IPPROTO_UDP, LAMP_APP_SNMP },
    { 389, 0, LAMP_APP_LDAP },
    { 443, LAMP_IPPROTO_TCP, LAMP_APP_HTTPS },
    { 443, LAMP_IPPROTO_UDP, LAMP_APP_QUIC },
    { 445, LAMP_IPPROTO_TCP, LAMP_APP_SMB },
    { 465, LAMP_IPPROTO_TCP, LAMP_APP_SMTP },
    { 500, LAMP_IPPROTO_UDP, LAMP_APP_IKE },
    { 514, LAMP_IPPROTO_UDP, LAMP_APP_SYSLOG },
    { 546, LAMP_IPPROTO_UDP, LAMP_APP_DHCP },
    { 547, LAMP_IPPROTO_UDP, LAMP_APP_DHCP },
    { 587, LAMP_IPPROTO_TCP, LAMP_APP_SMTP },
    { 636, LAMP_IPPROTO_TCP, LAMP_APP_LDAP },
    { 853, LAMP_IPPROTO_TCP, LAMP_APP_DNS },
    { 993, LAMP_IPPROTO_TCP, LAMP_APP_IMAP },
    { 995, LAMP_IPPROTO_TCP, LAMP_APP_POP3 },
    { 1194, LAMP_IPPROTO_UDP, LAMP_APP_OPENVPN },
    { 1883, LAMP_IPPROTO_TCP, LAMP_APP_MQTT },
    { 1900, LAMP_IPPROTO_UDP, LAMP_APP_SSDP },
    { 3306, LAMP_IPPROTO_TCP, LAMP_APP_MYSQL },
    { 3389, 0, LAMP_APP_RDP },
    { 3478, LAMP_IPPROTO_UDP, LAMP_APP_STUN },
    { 4500, LAMP_IPPROTO_UDP, LAMP_APP_IKE },
    { 5060, 0, LAMP_APP_SIP },
    { 5353, LAMP_IPPROTO_UDP, LAMP_APP_MDNS },
    { 5432, LAMP_IPPROTO_TCP, LAMP_APP_POSTGRES },
    { 6379, LAMP_IPPROTO_TCP, LAMP_APP_REDIS },
    { 8080, LAMP_IPPROTO_TCP, LAMP_APP_HTTP },
    { 8443, LAMP_IPPROTO_TCP, LAMP_APP_HTTPS },
    { 8883, LAMP_IPPROTO_TCP, LAMP_APP_MQTT },
    { 51820, LAMP_IPPROTO_UDP, LAMP_APP_WIREGUARD },
};

enum lamp_app lamp_app_of_port(uint8_t ip_proto, uint16_t port)
{
    for (size_t i = 0; i < ARRAY_LEN(ports); i++)
        if (ports[i].port == port && (ports[i].ip_proto == 0 || ports[i].ip_proto == ip_proto))
            return ports[i].app;
    return LAMP_APP_UNKNOWN;
}

/* -- by what was seen ---------------------------------------------------------------- */

static bool begins(struct lamp_bytes b, const char *with)
{
    const size_t len = strlen(with);
    return b.len >= len && memcmp(b.data, with, len) == 0;
}

static bool is_http_request(struct lamp_bytes b)
{
    static const char *const methods[] = {
        "GET ",     "POST ",  "HEAD ",  "PUT ",    "OPTIONS ",
        "CONNECT ", "PATCH ", "TRACE ", "DELETE ", "PRI * HTTP"
    };
    for (size_t i = 0; i < ARRAY_LEN(methods); i++)
        if (begins(b, methods[i]))
            return true;
    return false;
}

/* The value of the Host header (RFC 9110 7.2), if it is in this payload. */
static struct lamp_bytes http_host(struct lamp_bytes b)
{
    const uint8_t *p = b.data, *end = b.data + b.len;
    for (unsigned i = 0; i < LAMP_HTTP_LINES && p < end; i++) {
        const uint8_t *eol = memchr(p, '\n', (size_t)(end - p));
        if (!eol)
            break; /* the line may go on in the next segment */
        if (eol == p || *p == '\r')
            break; /* the head ends here */
        if (eol - p > 5 && strncasecmp((const char *)p, "Host:", 5) == 0) {
            const uint8_t *from = p + 5, *to = eol;
            while (from < to && (*from == ' ' || *from == '\t'))
                from++;
            while (to > from && (to[-1] == '\r' || to[-1] == ' ' || to[-1] == '\t'))
                to--;
            return (struct lamp_bytes){ from, (size_t)(to - from) };
        }
        p = eol + 1;
    }
    return (struct lamp_bytes){ 0 };
}

static struct lamp_app_seen look_tcp(uint16_t port, enum lamp_dir dir, struct lamp_bytes b)
{
    struct lamp_app_seen seen = { LAMP_APP_UNKNOWN, { 0 } };
    struct lamp_tls_hello hello;
    if (lamp_tls_is_record(b)) {
        seen.app = port == 443 ? LAMP_APP_HTTPS : LAMP_APP_TLS;
        if (dir == LAMP_UP && lamp_tls_client_hello(b, &hello) == LAMP_OK) {
            seen.name = hello.sni;
            if (hello.web)
                seen.app = LAMP_APP_HTTPS;
        }
    } else if (dir == LAMP_UP && is_http_request(b)) {
        seen = (struct lamp_app_seen){ LAMP_APP_HTTP, http_host(b) };
    } else if (dir == LAMP_DOWN && begins(b, "HTTP/1.")) {
        seen.app = LAMP_APP_HTTP;
    } else if (begins(b, "SSH-2.0-") || begins(b, "SSH-1.")) {
        seen.app = LAMP_APP_SSH;
    } else if (begins(b, "\x13"
                         "BitTorrent protocol")) {
        seen.app = LAMP_APP_BITTORRENT;
    }
    return seen;
}

/* RFC 8999 section 5.1 and RFC 9000 section 17.2: long header and fixed bit, a version that is
 * in use, connection ids of at most 20 bytes. */
static bool is_quic(struct lamp_bytes b)
{
    if (b.len < 7 || (b.data[0] & 0xc0) != 0xc0 || b.data[5] > 20)
        return false;
    const uint32_t version = (uint32_t)b.data[1] << 24 | (uint32_t)b.data[2] << 16 |
                             (uint32_t)b.data[3] << 8 | b.data[4];
    return version == 1 || version == 0x6b3343cf || version >> 8 == 0xff0000 ||
           version >> 8 == 0x513034 || version >> 8 == 0x513035; /* Q04x, Q05x: Google's */
}

static struct lamp_app_seen look_udp(uint16_t port, struct lamp_bytes b)
{
    struct lamp_app_seen seen = { LAMP_APP_UNKNOWN, { 0 } };
    const uint8_t *p = b.data;
    if (is_quic(b))
        seen.app = LAMP_APP_QUIC;
    else if (port == 123 && b.len >= 48 && (p[0] & 7) != 0 && (p[0] >> 3 & 7) != 0)
        seen.app = LAMP_APP_NTP; /* RFC 5905 section 7.3: version 1 to 7, a mode */
    else if (b.len >= 20 && p[0] < 4 && begins((struct lamp_bytes){ p + 4, 4 }, "\x21\x12\xa4\x42"))
        seen.app = LAMP_APP_STUN; /* RFC 8489 section 5 */
    else if (b.len == 148 && begins(b, "\x01") && p[1] == 0 && p[2] == 0 && p[3] == 0)
        seen.app = LAMP_APP_WIREGUARD; /* its handshake initiation */
    else if (begins(b, "d1:ad2:id20:") || begins(b, "d1:rd2:id20:"))
        seen.app = LAMP_APP_BITTORRENT; /* BEP 5 */
    else if (begins(b, "M-SEARCH * HTTP/1.1") || begins(b, "NOTIFY * HTTP/1.1"))
        seen.app = LAMP_APP_SSDP;
    return seen;
}

struct lamp_app_seen lamp_app_look(uint8_t ip_proto, uint16_t server_port, enum lamp_dir dir,
                                   struct lamp_bytes payload)
{
    return ip_proto == LAMP_IPPROTO_TCP ? look_tcp(server_port, dir, payload)
                                        : look_udp(server_port, payload);
}

struct lamp_bytes lamp_app_dns(uint8_t ip_proto, uint16_t server_port, struct lamp_bytes payload)
{
    const struct lamp_bytes none = { 0 };
    if (server_port != 53)
        return none;
    if (ip_proto != LAMP_IPPROTO_TCP)
        return payload;
    if (payload.len < 2)
        return none;
    const size_t len = (size_t)payload.data[0] << 8 | payload.data[1];
    return (struct lamp_bytes){ payload.data + 2, lamp_min(len, payload.len - 2) };
}
