/* SPDX-License-Identifier: Apache-2.0 */
/* The web server's own limits: time, framing, where it listens. */
#include "aggregator/http/http.h"
#include "common/clock.h"
#include "common/io.h"
#include "tests/support/test.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

enum { WAIT_MS = 20000 };

#define SECOND UINT64_C(1000000)

static lamp_http *server;
static lamp_static *files;

static void echo(void *app, const struct lamp_request *req, struct lamp_reply *reply)
{
    (void)app;
    lamp_json_object(&reply->json, NULL);
    lamp_json_uint(&reply->json, "fields", json_object_size(req->body));
    lamp_json_end(&reply->json);
}

static const struct lamp_route routes[] = {
    { "POST", "/api/echo", LAMP_ROLE_NONE, LAMP_ROUTE_BODY, { NULL }, echo },
};

static int start(const char *listen, lamp_http **out, char why[LAMP_HTTP_WHY])
{
    const struct lamp_http_cfg cfg = { .listen = listen,
                                       .threads = 1,
                                       .routes = routes,
                                       .n_routes = ARRAY_LEN(routes),
                                       .files = files };
    return lamp_http_start(&cfg, out, why);
}

static int set_up(void **state)
{
    (void)state;
    char why[LAMP_HTTP_WHY] = "";
    assert_int_equal(lamp_static_load("/nonexistent", &files), LAMP_OK);
    return start("127.0.0.1:0", &server, why);
}

static int tear_down(void **state)
{
    (void)state;
    lamp_http_stop(server);
    lamp_static_free(files);
    return 0;
}

static int connect_to_server(void)
{
    const struct sockaddr_in sa = { .sin_family = AF_INET,
                                    .sin_port = htons(lamp_http_port(server)),
                                    .sin_addr = { htonl(INADDR_LOOPBACK) } };
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&sa, sizeof(sa)), 0);
    return fd;
}

static void send_text(int fd, const char *text)
{
    assert_int_equal(lamp_io_write_full(fd, text, strlen(text)), LAMP_OK);
}

/* Reads until `want` is there; false where the server closes before, or time is up. */
static bool read_until(int fd, const char *want)
{
    char buf[8192] = "";
    size_t len = 0;
    struct pollfd p = { .fd = fd, .events = POLLIN };
    while (!strstr(buf, want)) {
        if (len + 1 >= sizeof(buf) || poll(&p, 1, WAIT_MS) != 1)
            return false;
        const ssize_t n = read(fd, buf + len, sizeof(buf) - 1 - len);
        if (n <= 0)
            return false;
        len += (size_t)n;
        buf[len] = '\0';
    }
    return true;
}

/* Whether the server closes the connection while its clock stands `ahead_us` from now. */
static bool is_cut(int fd, uint64_t ahead_us)
{
    const uint64_t deadline_us = lamp_clock_mono_us() + WAIT_MS * UINT64_C(1000);
    struct pollfd p = { .fd = fd, .events = POLLIN };
    while (lamp_clock_mono_us() < deadline_us) {
        char byte;
        lamp_http_tick(server, lamp_clock_mono_us() + ahead_us);
        if (poll(&p, 1, 20) == 1)
            return read(fd, &byte, 1) <= 0;
    }
    return false;
}

static void test_slow_headers_are_cut(void **state)
{
    (void)state;
    const int fd = connect_to_server();
    send_text(fd, "GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ");
    assert_true(is_cut(fd, 16 * SECOND));
    close(fd);
}

static void test_slow_bodies_get_more_time_but_not_all(void **state)
{
    (void)state;
    static const char head[] =
        "POST /api/echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json"
        "\r\nContent-Length: 8\r\nExpect: 100-continue\r\n\r\n";
    int fd = connect_to_server();
    send_text(fd, head);
    assert_true(read_until(fd, "100 Continue\r\n\r\n"));
    lamp_http_tick(server, lamp_clock_mono_us() + 16 * SECOND);
    send_text(fd, "{\"a\": 1}");
    assert_true(read_until(fd, "{\"fields\":1}"));
    close(fd);

    fd = connect_to_server();
    send_text(fd, head);
    assert_true(read_until(fd, "100 Continue\r\n\r\n"));
    assert_true(is_cut(fd, 31 * SECOND));
    close(fd);
}

static void test_idle_connections_end(void **state)
{
    (void)state;
    const int fd = connect_to_server();
    send_text(fd, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_true(read_until(fd, "</html>\n"));
    assert_true(is_cut(fd, 16 * SECOND));
    close(fd);
}

static const struct {
    const char *label, *request, *want;
} framings[] = {
    { "no host", "GET / HTTP/1.1\r\n\r\n", " 400 " },
    { "long header", NULL, " 431 " },
    { "length twice over", "POST /api/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 99999\r\n\r\n",
      " 413 " },
    { "both lengths",
      "POST /api/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: "
      "chunked\r\n\r\n",
      " 400 " },
    { "chunks",
      "POST /api/echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
      "Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n",
      "{\"fields\":0}" },
    { "deep JSON", "", " 400 " },
};

static void test_framing(void **state)
{
    (void)state;
    static char big[40000];
    for (size_t i = 0; i < ARRAY_LEN(framings); i++) {
        const char *request = framings[i].request;
        if (!request) {
            const int n = snprintf(big, sizeof(big), "GET / HTTP/1.1\r\nHost: x\r\nX: ");
            memset(big + n, 'a', 30000);
            snprintf(big + n + 30000, 8, "\r\n\r\n");
            request = big;
        } else if (!*request) {
            const int n = snprintf(big, sizeof(big),
                                   "POST /api/echo HTTP/1.1\r\nHost: x\r\nContent-Type: "
                                   "application/json\r\nContent-Length: 30000\r\n\r\n");
            memset(big + n, '[', 30000);
            big[n + 30000] = '\0';
            request = big;
        }
        const int fd = connect_to_server();
        (void)send(fd, request, strlen(request), MSG_NOSIGNAL);
        if (!read_until(fd, framings[i].want))
            fail_msg("%s: no%s", framings[i].label, framings[i].want);
        close(fd);
    }
}

static const struct {
    const char *listen;
    int want;
    const char *says;
} places[] = {
    { "nonsense", LAMP_EINVAL, "is not an address and port" },
    { "127.0.0.1", LAMP_EINVAL, "is not an address and port" },
    { "127.0.0.1:65536", LAMP_EINVAL, "is not an address and port" },
    { ":8080", LAMP_EINVAL, "is not an address and port" },
    { "[", LAMP_EINVAL, "is not an address and port" },
    { "0.0.0.0:0", LAMP_EINVAL, "clear text" },
    { "[::]:0", LAMP_EINVAL, "clear text" },
    { "192.0.2.1:80", LAMP_EINVAL, "clear text" },
};

static void test_where_it_listens(void **state)
{
    (void)state;
    char why[LAMP_HTTP_WHY], taken[32];
    lamp_http *h = NULL;
    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        *why = '\0';
        const int got = start(places[i].listen, &h, why);
        if (got != places[i].want || !strstr(why, places[i].says))
            fail_msg("%s: %d %s", places[i].listen, got, why);
    }
    snprintf(taken, sizeof(taken), "127.0.0.1:%u", lamp_http_port(server));
    assert_int_equal(start(taken, &h, why), LAMP_EIO);
    assert_non_null(strstr(why, "in use"));
    assert_null(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slow_headers_are_cut),
        cmocka_unit_test(test_slow_bodies_get_more_time_but_not_all),
        cmocka_unit_test(test_idle_connections_end),
        cmocka_unit_test(test_framing),
        cmocka_unit_test(test_where_it_listens),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
