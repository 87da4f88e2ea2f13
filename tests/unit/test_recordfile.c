/* SPDX-License-Identifier: Apache-2.0 */
/* Files of flow records: what comes out of them, and that damaged ones do no harm. */
#include "common/io.h"
#include "sensor/records/recordfile.h"
#include "tests/support/test.h"

#include <limits.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#define NFCAPD LAMP_TEST_DATA "/records/softflowd.nfcapd"
#define NFDUMP_FLOWS 4
#define NFDUMP_BYTES 22946
#define NFDUMP_PACKETS 148

#define NFDUMP_HEAD "ts,te,td,sa,da,sp,dp,pr,flg,fwd,stos,ipkt,ibyt,opkt,obyt\n"
#define ZEEK_HEAD                                                                                  \
    "#separator \\x09\n#fields\tts\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tduration\t" \
    "orig_pkts\torig_ip_bytes\tresp_pkts\tresp_ip_bytes\n"

static const struct {
    const char *label, *text, *kind;
    const char *want; /* a line a record */
    struct lamp_recordfile_counts counts;
} cases[] = {
    { "nfdump",
      NFDUMP_HEAD "2026-11-27 15:34:12,2026-11-27 15:44:12,600.146,10.1.0.25,203.0.113.9,"
                  "49152,3333,TCP,...AP.SF,0,0,28,1222,7,900\n"
                  "2026-11-27 15:34:12,2026-11-27 15:34:12,0.000,2001:db8::1,2001:db8::2,0,3.1,"
                  "ICMP6,........,0,0,1,64,0,0\n"
                  "Summary\nflows,bytes,packets,avg_bps,avg_pps,avg_bpp\n2,1286,29,0,0,0\n",
      "nfdump CSV",
      "10.1.0.25 49152 203.0.113.9 3333 6 28/1222 7/900 600146 vlan 0\n"
      "2001:db8::1 0 2001:db8::2 3 58 1/64 0/0 0 vlan 0\n",
      { 2, 0, 0 } },
    { "nfdump, later columns",
      "firstSeen,duration,proto,srcAddr,srcPort,dstAddr,dstPort,packets,bytes,flows\n"
      "2026-11-27 15:34:12.500,1.500,UDP,10.1.0.25,5000,203.0.113.53,53,1,60,1\n",
      "nfdump CSV",
      "10.1.0.25 5000 203.0.113.53 53 17 1/60 0/0 1500 vlan 0\n",
      { 1, 0, 0 } },
    { "nfdump, damaged lines",
      NFDUMP_HEAD
      "2026-11-27 15:34:12,,0.1,10.1.0.25\n"
      "yesterday,,0.1,10.1.0.25,203.0.113.9,1,2,TCP,,0,0,1,60,0,0\n"
      "2026-11-27 15:34:12,,0.1,10.1.0.25,203.0.113.9,1,2,TCP,,0,0,0,0,0,0\n"
      "2026-11-27 15:34:12,,0.1,10.1.0.25,203.0.113.9,1,2,TCP,,0,0,1,99999999999999999,0,0\n"
      "\n,,,,,,,,,,,,,,,,,,,,,,\n",
      "nfdump CSV",
      "",
      { 0, 5, 0 } },
    { "Zeek",
      ZEEK_HEAD "1795793641.123456\t10.1.0.25\t49152\t203.0.113.9\t3333\ttcp\t600."
                "060000\t209\t20990\t207\t36429\n"
                "1795793641.123456\t10.1.0.25\t40000\t203.0.113.7\t80\ttcp\t-\t0\t0\t0\t0\n"
                "#close\t2026-11-27-15-00-00\n",
      "Zeek conn.log",
      "10.1.0.25 49152 203.0.113.9 3333 6 209/20990 207/36429 600060 vlan 0\n",
      { 1, 1, 2 } },
    { "Zeek, JSON",
      "{\"ts\":1795793641.123456,\"id.orig_h\":\"10.1.0.25\",\"id.orig_p\":49152,\"id.resp_h\":"
      "\"203.0.113.9\",\"id.resp_p\":3333,\"proto\":\"tcp\",\"duration\":600.06,\"orig_pkts\":209,"
      "\"orig_ip_bytes\":20990,\"resp_pkts\":207,\"resp_ip_bytes\":36429,\"vlan\":12}\n{broken\n",
      "Zeek conn.log",
      "10.1.0.25 49152 203.0.113.9 3333 6 209/20990 207/36429 600060 vlan 12\n",
      { 1, 1, 0 } },
    { "Suricata",
      "{\"event_type\":\"flow\",\"src_ip\":\"10.1.0.25\",\"src_port\":49152,\"dest_ip\":"
      "\"203.0.113.9\",\"dest_port\":3333,\"proto\":\"TCP\",\"flow\":{"
      "\"pkts_toserver\":209,\"pkts_toclient\":207,\"bytes_toserver\":23916,\"bytes_toclient\":"
      "39327,"
      "\"start\":\"2026-11-27T15:34:01.000000+0100\",\"end\":\"2026-11-27T14:44:01.060000+0000\"}}"
      "\n"
      "{\"event_type\":\"dns\",\"src_ip\":\"10.1.0.25\"}\n"
      "{\"event_type\":\"netflow\",\"src_ip\":\"10.1.0.25\",\"src_port\":49152,\"dest_ip\":"
      "\"203.0.113.9\",\"dest_port\":3333,\"proto\":\"TCP\",\"netflow\":{\"pkts\":209,\"bytes\":"
      "23916,"
      "\"start\":\"2026-11-27T15:34:01.000000+0000\",\"end\":\"2026-11-27T15:34:02.000000+0000\"}}"
      "\n"
      "{\"event_type\":\"flow\",\"src_ip\":\"10.1.0.25\",\"src_port\":49153,\"dest_ip\":"
      "\"203.0.113.9\",\"dest_port\":3333,\"proto\":\"TCP\",\"flow\":{\"pkts_toserver\":1,"
      "\"pkts_toclient\":1,\"bytes_toserver\":74,\"bytes_toclient\":54,"
      "\"start\":\"2026-11-27T15:34:01.000000+0000\",\"end\":\"2026-11-27T15:34:01.000000+0000\"}}"
      "\n",
      "Suricata EVE",
      "10.1.0.25 49152 203.0.113.9 3333 6 209/20990 207/36429 600060 vlan 0\n"
      "10.1.0.25 49153 203.0.113.9 3333 6 1/60 1/40 0 vlan 0\n",
      { 2, 0, 2 } },
    { "Suricata: netflow first, tags, and a packet of no more than a header",
      "{\"event_type\":\"netflow\",\"src_ip\":\"10.1.0.25\",\"src_port\":1,\"dest_ip\":"
      "\"203.0.113.9\",\"dest_port\":2,\"proto\":\"UDP\",\"vlan\":[7],\"netflow\":{\"pkts\":2,"
      "\"bytes\":136,"
      "\"start\":\"2026-11-27T15:34:01.000000+0000\",\"end\":\"2026-11-27T15:34:02.000000+0000\"}}"
      "\n"
      "{\"event_type\":\"flow\",\"src_ip\":\"10.1.0.25\",\"src_port\":1,\"dest_ip\":"
      "\"203.0.113.9\",\"dest_port\":2,\"proto\":\"UDP\",\"vlan\":[7],\"flow\":{\"pkts_toserver\":"
      "2,"
      "\"bytes_toserver\":136,"
      "\"start\":\"2026-11-27T15:34:01.000000+0000\",\"end\":\"2026-11-27T15:34:02.000000+0000\"}}"
      "\n"
      "{\"event_type\":\"netflow\",\"src_ip\":\"10.1.0.25\",\"src_port\":1,\"dest_ip\":"
      "\"203.0.113.9\",\"dest_port\":2,\"proto\":\"UDP\",\"vlan\":[7,8],\"netflow\":{\"pkts\":2,"
      "\"bytes\":60,"
      "\"start\":\"2026-11-27T15:34:01.000000+0000\",\"end\":\"2026-11-27T15:34:02.000000+0000\"}}"
      "\n",
      "Suricata EVE",
      "10.1.0.25 1 203.0.113.9 2 17 2/100 0/0 1000 vlan 7\n"
      "10.1.0.25 1 203.0.113.9 2 17 2/40 0/0 1000 vlan 7\n",
      { 2, 0, 1 } },
    { "a capture's head is no record file", "\xd4\xc3\xb2\xa1\x02", NULL, "", { 0, 0, 0 } },
    { "JSON of somebody else", "{\"a\":1}\n", NULL, "", { 0, 0, 0 } },
    { "nothing", "", NULL, "", { 0, 0, 0 } },
};

struct heard {
    char text[8192];
    size_t len;
    uint64_t records, bytes, packets;
};

static void on_record(const struct lamp_record *r, void *arg)
{
    struct heard *h = arg;
    char src[LAMP_ADDR_STRLEN], dst[LAMP_ADDR_STRLEN];
    h->records++;
    h->bytes += r->bytes[0] + r->bytes[1];
    h->packets += r->packets[0] + r->packets[1];
    assert_true(r->first_us <= r->last_us);
    if (h->len + 256 < sizeof(h->text))
        h->len += (size_t)snprintf(
            h->text + h->len, sizeof(h->text) - h->len,
            "%s %u %s %u %u %llu/%llu %llu/%llu %llu vlan %u\n", lamp_addr_str(&r->src, src),
            r->src_port, lamp_addr_str(&r->dst, dst), r->dst_port, r->ip_proto,
            (unsigned long long)r->packets[0], (unsigned long long)r->bytes[0],
            (unsigned long long)r->packets[1], (unsigned long long)r->bytes[1],
            (unsigned long long)(r->last_us - r->first_us) / 1000, r->vlan);
}

/* Reads bytes as a file. */
static int read_bytes(const void *data, size_t len, struct heard *h,
                      struct lamp_recordfile_counts *n, char why[LAMP_RECORDFILE_WHY])
{
    char path[] = "/tmp/lamp-records-XXXXXX";
    const int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(lamp_io_write_full(fd, data, len), LAMP_OK);
    close(fd);
    *h = (struct heard){ .len = 0 };
    const int err = lamp_recordfile_read(path, on_record, h, n, why);
    unlink(path);
    return err;
}

static void test_texts(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct heard h;
        struct lamp_recordfile_counts n;
        char why[LAMP_RECORDFILE_WHY];
        const int err = read_bytes(cases[i].text, strlen(cases[i].text), &h, &n, why);
        if (err != (cases[i].kind ? LAMP_OK : LAMP_EFORMAT) || strcmp(h.text, cases[i].want) != 0 ||
            memcmp(&n, &cases[i].counts, sizeof(n)) != 0)
            fail_msg("%s: %d, %llu unusable, %llu other, got\n%swant\n%s", cases[i].label, err,
                     (unsigned long long)n.unusable, (unsigned long long)n.other, h.text,
                     cases[i].want);
    }
}

/* A named pipe is left alone: whoever opens it, even for a moment, lets its writer go on, or ends it. */
static void test_pipe(void **state)
{
    (void)state;
    char folder[] = "/tmp/lamp-records-XXXXXX", path[64];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/pipe", folder);
    assert_int_equal(mkfifo(path, 0600), 0);
    const int notices = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    assert_true(notices >= 0 && inotify_add_watch(notices, path, IN_OPEN) >= 0);
    assert_null(lamp_recordfile_kind(path));
    char event[sizeof(struct inotify_event) + NAME_MAX + 1];
    assert_int_equal(read(notices, event, sizeof(event)), -1); /* nobody opened it */
    close(notices);
    unlink(path);
    rmdir(folder);
}

/* Lines that are longer than there is room for are passed over, wherever they begin. */
static void test_long_lines(void **state)
{
    (void)state;
    static char text[4 * LAMP_RECORDFILE_LINE];
    struct heard h;
    struct lamp_recordfile_counts n;
    char why[LAMP_RECORDFILE_WHY];
    const char *line = strchr(cases[0].text, '\n') + 1;
    const size_t head = (size_t)(line - cases[0].text),
                 row = (size_t)(strchr(line, '\n') - line) + 1;
    for (size_t filler = LAMP_RECORDFILE_LINE - 300; filler < 3 * LAMP_RECORDFILE_LINE;
         filler += 9973) {
        memcpy(text, cases[0].text, head);
        memset(text + head, 'x', filler);
        text[head + filler] = '\n';
        memcpy(text + head + filler + 1, line, row);
        assert_int_equal(read_bytes(text, head + filler + 1 + row, &h, &n, why), LAMP_OK);
        assert_int_equal(n.records, 1);
        assert_int_equal(n.unusable, 1);
    }
}

/* What nfcapd wrote of softflowd's records: the sums are those that `nfdump -r` prints of the file. */
static void test_nfcapd(void **state)
{
    (void)state;
    struct heard h = { .len = 0 };
    struct lamp_recordfile_counts n;
    char why[LAMP_RECORDFILE_WHY];
    assert_string_equal(lamp_recordfile_kind(NFCAPD), "nfcapd file");
    assert_int_equal(lamp_recordfile_read(NFCAPD, on_record, &h, &n, why), LAMP_OK);
    assert_int_equal(h.records, NFDUMP_FLOWS);
    assert_int_equal(h.bytes, NFDUMP_BYTES);
    assert_int_equal(h.packets, NFDUMP_PACKETS);
    assert_int_equal(n.unusable, 0);
    assert_non_null(strstr(h.text, "10.1.0.21 49152 203.0.113.9 3333 6 "));
}

static void test_damaged_nfcapd(void **state)
{
    (void)state;
    static const struct {
        size_t at;
        uint8_t value;
        int want;
        const char *why;
    } heads[] = {
        { 2, 1, LAMP_EUNSUPPORTED, "another version" },
        { 16, 1, LAMP_EUNSUPPORTED, "packed with LZO" },
        { 16, 3, LAMP_EUNSUPPORTED, "packed with LZ4" },
        { 16, 9, LAMP_EUNSUPPORTED, "something unknown" },
        { 17, 1, LAMP_EUNSUPPORTED, "encrypted" },
        { 47, 0xff, LAMP_EFORMAT, "larger than any" },
    };
    char *file, why[LAMP_RECORDFILE_WHY];
    size_t len;
    struct heard h;
    struct lamp_recordfile_counts n;
    assert_int_equal(lamp_io_read_file(NFCAPD, 1 << 20, &file, &len), LAMP_OK);
    for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
        const char was = file[heads[i].at];
        file[heads[i].at] = (char)heads[i].value;
        assert_int_equal(read_bytes(file, len, &h, &n, why), heads[i].want);
        if (!strstr(why, heads[i].why))
            fail_msg("says %s, not %s", why, heads[i].why);
        file[heads[i].at] = was;
    }
    for (size_t cut = 0; cut < len; cut += 3) {
        (void)read_bytes(file, cut, &h, &n, why);
        assert_int_equal(n.records, h.records);
    }
    for (size_t at = 40; at < len; at += 2) { /* any byte wrong */
        file[at] ^= (char)0x81;
        (void)read_bytes(file, len, &h, &n, why);
        assert_int_equal(n.records, h.records);
        file[at] ^= (char)0x81;
    }
    free(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts),          cmocka_unit_test(test_pipe),
        cmocka_unit_test(test_long_lines),     cmocka_unit_test(test_nfcapd),
        cmocka_unit_test(test_damaged_nfcapd),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
