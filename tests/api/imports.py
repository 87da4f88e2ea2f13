# SPDX-License-Identifier: Apache-2.0
"""Captures handed in over the API, by the command line and on the server, against an aggregator and an
analyzer as shipped: the same verdicts as `analyze`, hostile and endless files, limits, roles, nothing left."""
import gzip
import json
import os
import pathlib
import stat
import struct
import subprocess
import sys
import threading
import time

from world import World, check

V1 = "/api/v1/imports"
PIECE = 1 << 20
OVER = ("done", "failed", "cancelled")

# Stands in for davylamp-sensor where an end is wanted that it does not give; the name of the capture's
# first byte says which.
STAND_IN = """#!/usr/bin/python3
import os, sys, time
what = sys.stdin.buffer.read(1)
if what == b"m":
    hog = []
    while True:
        hog.append(bytearray(8 << 20))
if what == b"c":
    while True:
        pass
if what == b"s":
    time.sleep(600)
if what == b"a":
    os.abort()
if what == b"n":
    print("x" * (3 << 20))
    print('{"type":"connection","verdict":"confirmed"}')
    print("no JSON")
    print('{"type":"summary","packets":7,"bytes":9,"errors":[]}')
if what == b"w":
    try:
        open("/tmp/davylamp-import-escape", "w").write("x" * 10)
    except OSError:
        pass
    os.kill(os.getpid(), 11)
"""


class Imports(World):
    def post(self, status, body, **kw):
        return self.want(status, "POST", V1, body, **kw)

    def put(self, status, number, offset, data, **kw):
        headers = {"Content-Type": "application/octet-stream", **kw.pop("headers", {})}
        return self.want(status, "PUT", f"{V1}/{number}/data?offset={offset}", data, headers=headers, **kw)

    def upload(self, *files, site=None):
        """files: pairs of name and bytes; in pieces that end inside and between them."""
        body = {"files": [{"name": n, "size": len(d)} for n, d in files]}
        number = self.post(201, {**body, "site": site})["id"]
        whole, at = b"".join(d for _, d in files), 0
        while at < len(whole):
            at = self.put(200, number, at, whole[at:at + PIECE])["received"]
        return number

    def get(self, number):
        return self.want(200, "GET", f"{V1}/{number}")

    def until(self, number, *states):
        """The import, once it is in one of the states."""
        end = time.monotonic() + 60
        while True:
            i = self.get(number)["imports"][0]
            if i["state"] in states:
                return i
            check(i["state"] not in OVER and time.monotonic() < end, f"import {number} stays as it is: {i}")
            time.sleep(0.05)

    def connections(self, number):
        found, after = [], 0
        while after is not None:
            page = self.want(200, "GET", f"{V1}/{number}/connections?limit=50&after={after}")
            found += page["connections"]
            after = page["next"]
        return found

    def analyze(self, data):
        done = subprocess.run([self.bin / "davylamp-sensor", "analyze", "--json", "-"], input=data,
                              capture_output=True, check=False)
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        return [{k: v for k, v in c.items() if k not in ("type", "file")} for c in lines if c["type"] == "connection"]

    def spooled(self):
        return sorted(p.name for p in (self.folder / "imports").iterdir())


def pcap(packets):
    return struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1) + b"".join(
        struct.pack("<IIII", s, us, len(p), len(p)) + p for s, us, p in packets)


def tcp(up, seq, ack, data, sport=40001, dport=3333, flags=0x18):
    a, b = bytes([10, 0, 0, 5]), bytes([203, 0, 113, 9])
    src, dst = (a, b) if up else (b, a)
    ports = (sport, dport) if up else (dport, sport)
    ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 40 + len(data), 1, 0, 64, 6, 0, src, dst)
    return b"\x02" * 6 + b"\x04" * 6 + b"\x08\x00" + ip + struct.pack(">HHIIBBHHH", *ports, seq, ack, 0x50, flags,
                                                                      8192, 0, 0) + data


def miner(start=1700000000, minutes=3):
    """A Stratum connection with a share a minute."""
    says = [(True, b'{"id":1,"method":"mining.subscribe","params":["cgminer/4.10.0"]}\n'),
            (False, b'{"id":1,"result":[[["mining.notify","ae"]],"08000002",4],"error":null}\n'),
            (True, b'{"id":2,"method":"mining.authorize","params":["1BoatSLRHtKNngkdXEeobR76b53LETtpyT.w1","x"]}\n'),
            (False, b'{"id":2,"result":true,"error":null}\n'),
            (False, b'{"id":null,"method":"mining.set_difficulty","params":[512]}\n'),
            (False, b'{"id":null,"method":"mining.notify","params":["bf","4d16b6f85af6e2198f44ae2a6de67f78487ae5611b77c'
                    b'6c0440b921e00000000","01","02",[],"00000002","1c2ac4af","504e86b9",true]}\n')]
    for m in range(minutes):
        says.append((True, b'{"id":%d,"method":"mining.submit","params":["1BoatSLRHtKNngkdXEeobR76b53LETtpyT.w1","bf",'
                           b'"0000000%d","504e86ed","b2957c0%d"]}\n' % (4 + m, m, m)))
        says.append((False, b'{"id":%d,"result":true,"error":null}\n' % (4 + m)))
    seq, packets = {True: 1001, False: 5001}, [(start, 0, tcp(True, 1000, 0, b"", flags=2)),
                                               (start, 1, tcp(False, 5000, 1001, b"", flags=0x12))]
    for i, (up, data) in enumerate(says):
        packets.append((start + max(0, i - 5) // 2 * 60, 10 + i, tcp(up, seq[up], seq[not up], data)))
        seq[up] += len(data)
    return pcap(packets)


def quiet():
    return pcap([(1700000000 + i, 0, tcp(True, 1000 + 10 * i, 1, b"0123456789", dport=80)) for i in range(20)])


def shared():
    """A few of the shared captures, where there are any."""
    folder = pathlib.Path(os.environ.get("LAMP_CAPTURES") or "/nonexistent")
    return [p for kind, n in (("pos", 1), ("neg", 1), ("malformed", 1))
            for p in sorted(q for q in folder.glob(f"{kind}/*") if q.is_file() and q.stat().st_size < 100000)[:n]]


def test_verdicts(w):
    """Each capture alone in one import with the others: what analyze says of it, word for word."""
    files = [("miner.pcap", miner()), ("quiet.pcap", quiet()), ("miner.pcap.gz", gzip.compress(miner()))]
    files += [(p.name, p.read_bytes()) for p in shared()]
    number = w.upload(*files, site="berlin")
    i = w.until(number, "done")
    told = [w.analyze(data) for _, data in files]
    found = w.connections(number)
    for no, ((name, data), want) in enumerate(zip(files, told), 1):
        got = [c["connection"] for c in found if c["file"] == no]
        check(got == want, f"{name}: {len(got)} connections are not the {len(want)} of analyze")
    check(i["connections"] == sum(map(len, told)) == len(found), f"connections: {i}")
    check(i["verdicts"]["confirmed"] == sum(c["verdict"] == "confirmed" for t in told for c in t), f"verdicts: {i}")
    check(i["answer"].startswith("Yes: ") and "10.0.0.5" in i["answer"], f"answer: {i['answer']}")
    check(i["files_done"] == i["files"] == len(files) and i["site"] == "berlin", f"files: {i}")
    check([f["name"] for f in w.get(number)["files"]] == [n for n, _ in files], "names of files")
    check(w.spooled() == [], f"left in the spool: {w.spooled()}")
    # Live history knows nothing of it.
    hosts = {m["host"] for m in w.want(200, "GET", "/api/v1/miners")["miners"]}
    check("10.0.0.5" not in hosts, "an import is among the live miners")


def test_minutes(w):
    number = w.upload(("m.pcap", miner(minutes=3)), ("q.pcap", quiet()))
    i = w.until(number, "done")
    minutes = w.get(number)["minutes"]
    check(sum(m["packets"] for m in minutes) == i["packets"], f"packets: {minutes}")
    check(sum(m["bytes"] for m in minutes) == i["bytes"], f"bytes: {minutes}")
    check([m["submitted"] for m in minutes if m["submitted"]] == [1, 1, 1], f"shares: {minutes}")
    (c,) = [c["connection"] for c in w.connections(number)]
    check(sum(m["mining_up"] for m in minutes) == c["bytes"]["up"], f"mining bytes: {minutes}")
    check(minutes[0]["time"] == i["first"] == 1700000000 // 60 * 60, f"times: {i}")


def test_none(w):
    i = w.until(w.upload(("q.pcap", quiet())), "done")
    check(i["answer"].startswith("No: no mining in 20 packets of 1 file."), i["answer"])


def test_hostile(w):
    """Cut, empty, no captures at all: an error of the file, and the others are read."""
    cut = miner()[:-20]
    files = [("cut.pcap", cut), ("empty.pcap", b""), ("text.txt", b"no capture, just text" * 40),
             ("zeros.gz", gzip.compress(bytes(1 << 20))), ("good.pcap", miner())]
    number = w.upload(*files)
    i = w.until(number, "done")
    by_name = {f["name"]: f for f in w.get(number)["files"]}
    for name in ("cut.pcap", "empty.pcap", "text.txt", "zeros.gz"):
        check(by_name[name]["error"], f"{name} has no error")
    check(by_name["good.pcap"]["error"] is None and by_name["good.pcap"]["verdict"] == "confirmed", f"{by_name}")
    check(by_name["cut.pcap"]["verdict"] == "confirmed", "what came before the cut is lost")
    check(i["files_failed"] == 4 and "4 files could not be read" in i["answer"], f"{i}")
    i = w.until(w.upload(("x.bin", b"\x00" * 5000)), "failed")
    check(i["error"].startswith("x.bin: ") and i["answer"] is None, f"{i}")


def test_upload(w):
    """Pieces out of order, too long, of others; broken off and gone on with; cancelled and deleted."""
    data = miner()
    number = w.post(201, {"files": [{"name": "a", "size": len(data)}]})["id"]
    check(w.get(number)["imports"][0]["state"] == "uploading", "it is not uploading")
    w.put(200, number, 0, data[:100])
    check("100 bytes are here" in w.put(409, number, 50, data[50:60])["error"]["message"], "no word where to go on")
    check(w.get(number)["imports"][0]["progress"]["received"] == 100, "progress")
    w.put(400, number, 100, data + b"more")
    w.put(400, number, 100, data[100:], headers={"Content-Type": "application/json"})
    c = w.connect()
    c.putrequest("PUT", f"{V1}/{number}/data?offset=100")
    for name, value in (("Authorization", "Bearer " + w.token), ("Content-Length", str(PIECE + 1)),
                        ("Content-Type", "application/octet-stream")):
        c.putheader(name, value)
    c.endheaders()
    check(c.getresponse().status == 413, "a piece may be longer than 1 MiB")
    c.close()
    w.put(404, 999, 0, data)
    w.put(401, number, 100, data[100:], token="wrong")
    check(len(w.spooled()) == 1, "the piece is not in the spool")
    w.put(200, number, 100, data[100:])
    w.put(404, number, 0, data)
    w.until(number, "done")
    number = w.post(201, {"files": [{"name": "a", "size": 1000}]})["id"]
    w.put(200, number, 0, b"x" * 10)
    check(w.want(200, "POST", f"{V1}/{number}/cancel")["state"] == "cancelled", "cancel")
    w.want(404, "POST", f"{V1}/{number}/cancel")
    w.put(404, number, 10, b"x")
    w.want(204, "DELETE", f"{V1}/{number}")
    w.want(404, "GET", f"{V1}/{number}")
    until_empty(w)


def until_empty(w):
    end = time.monotonic() + 30
    while w.spooled():
        check(time.monotonic() < end, f"left in the spool: {w.spooled()}")
        time.sleep(0.05)


def test_broken_off(w):
    """What is broken off is an error of the import, and leaves nothing."""
    number = w.post(201, {"files": [{"name": "a", "size": 1000}]})["id"]
    w.put(200, number, 0, b"x" * 10)
    check("10 of 1000 bytes" in w.until(number, "failed")["error"], "no word of what was broken off")
    until_empty(w)


def test_at_once(w):
    """Several uploads at a time do not mix."""
    numbers, captures = [], [miner(start=1700000000 + 86400 * k, minutes=k + 1) for k in range(3)]

    def one(k):
        numbers.append((k, w.upload((f"{k}.pcap", captures[k]))))
    threads = [threading.Thread(target=one, args=(k,)) for k in range(3)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    check(len(numbers) == 3, "an upload failed")
    for k, number in numbers:
        w.until(number, "done")
        check([c["connection"] for c in w.connections(number)] == w.analyze(captures[k]), f"upload {k}")


def test_quota(w):
    """1 MiB an import, 3 MiB together, 4 imports, as the configuration says; refused in words."""
    mib = 1 << 20
    said = w.post(409, {"files": [{"name": "a", "size": mib + 1}]})["error"]["message"]
    check("1048577 bytes are more than an import may have" in said, said)
    held = [w.post(201, {"files": [{"name": "a", "size": mib}]})["id"] for _ in range(3)]
    said = w.post(409, {"files": [{"name": "a", "size": 1}]})["error"]["message"]
    check("imports.quota" in said, said)
    held.append(w.post(201, {"files": [{"name": "a", "size": 0}, {"name": "b", "size": 0}]})["id"])
    w.until(held[-1], "failed")
    for number in held:
        w.want(204, "DELETE", f"{V1}/{number}")
    until_room(w)


def until_room(w):
    """What was deleted is forgotten within moments."""
    end = time.monotonic() + 30
    while True:
        a = w.call("POST", V1, {"files": [{"name": "a", "size": 1 << 20}]})
        if a.status == 201:
            w.want(204, "DELETE", f"{V1}/{a.json['id']}")
            return
        check(time.monotonic() < end, a.text)
        time.sleep(0.05)


def test_bodies(w):
    for body in ({}, {"files": []}, {"files": "x"}, {"files": [{"name": "", "size": 1}]}, {"files": [{"name": "a"}]},
                 {"files": [{"name": "a", "size": -1}]}, {"files": [{"name": "a", "size": 1, "x": 1}]},
                 {"files": [{"name": "a", "size": 1}], "path": "b"}, {"paths": "x"}, {"path": 5},
                 {"files": [{"name": "n" * 300, "size": 1}]}):
        w.post(400, body)
    w.want(400, "GET", f"{V1}?limit=0")
    w.want(400, "GET", f"{V1}/1/connections?verdict=sure")


def test_server(w):
    """Paths below imports.root, and no way out."""
    root = w.folder / "root"
    (root / "sub/deep").mkdir(parents=True)
    (root / "a.pcap").write_bytes(miner())
    (root / "sub/b.pcap").write_bytes(quiet())
    (root / "sub/deep/c.pcap").write_bytes(miner())
    (w.folder / "secret.pcap").write_bytes(miner())
    (root / "link.pcap").symlink_to(w.folder / "secret.pcap")
    (root / "sub/inner.pcap").symlink_to(root / "a.pcap")
    (root / "out").symlink_to(w.folder)
    os.mkfifo(root / "sub/fifo")
    for path, status in (("../secret.pcap", 403), ("/etc/passwd", 403), ("link.pcap", 403), ("out/secret.pcap", 403),
                         ("sub/../../secret.pcap", 403), ("sub/fifo", 400), ("none.pcap", 404),
                         (f"{root}/a.pcap", 403), ("out", 403), ("", 404)):
        w.post(status, {"path": path})
    i = w.until(w.post(201, {"path": "a.pcap"})["id"], "done")
    check(i["source"] == "server" and i["answer"].startswith("Yes"), f"{i}")
    number = w.post(201, {"path": "."})["id"]
    i = w.until(number, "done")
    names = [f["name"] for f in w.get(number)["files"]]
    check(names == ["a.pcap", "sub/b.pcap", "sub/deep/c.pcap"], f"files: {names}")
    check("3 files or folders were left out" in (i["error"] or ""), f"links: {i['error']}")
    check((root / "a.pcap").exists(), "a file on the server is gone")


def test_roles(w):
    viewer, sited = ("viewer", "operator")
    token = w.want(201, "POST", "/api/v1/tokens", {"name": "v", "role": viewer})["token"]
    w.post(403, {"files": [{"name": "a", "size": 1}]}, token=token)
    w.want(200, "GET", V1, token=token)
    berlin = w.want(201, "POST", "/api/v1/tokens", {"name": "b", "role": sited, "sites": ["berlin"]})["token"]
    mine = w.post(201, {"files": [{"name": "mine", "size": 10}], "site": "berlin"}, token=berlin)["id"]
    other = w.post(201, {"files": [{"name": "other", "size": 10}], "site": "porto"})["id"]
    w.post(403, {"files": [{"name": "a", "size": 1}]}, token=berlin)
    w.post(403, {"files": [{"name": "a", "size": 1}], "site": "porto"}, token=berlin)
    seen = [i["id"] for i in w.want(200, "GET", V1, token=berlin)["imports"]]
    check(mine in seen and other not in seen, f"berlin sees {seen}")
    w.want(404, "GET", f"{V1}/{other}", token=berlin)
    w.put(404, other, 0, b"x", token=berlin)
    w.want(404, "DELETE", f"{V1}/{other}", token=berlin)
    w.want(204, "DELETE", f"{V1}/{mine}", token=berlin)
    w.want(204, "DELETE", f"{V1}/{other}")
    said = [(a["action"], a["object"]) for a in w.want(200, "GET", "/api/v1/audit?limit=100")["audit"]]
    check(("import", f"import {mine}") in said and ("delete import", f"import {mine}") in said, f"audit: {said[:9]}")


def test_cli(w):
    folder = w.folder / "captures"
    folder.mkdir()
    (folder / "m.pcap").write_bytes(miner())
    (folder / "q.pcap").write_bytes(quiet())
    done = w.cli("import", str(folder))
    check(done.returncode == 0 and "Yes: 1 host mines (10.0.0.5)" in done.stdout, done.stdout + done.stderr)
    done = w.cli("import", "--server", "a.pcap", "--json")
    check(json.loads(done.stdout)["state"] == "done", done.stdout + done.stderr)
    done = w.cli("import", str(w.folder / "none"))
    check(done.returncode == 1 and "none" in done.stderr, done.stderr)
    done = w.cli("imports")
    check(done.returncode == 0 and "captures" in done.stdout, done.stdout + done.stderr)
    number = w.want(200, "GET", V1)["imports"][0]["id"]
    check("a.pcap" in w.cli("imports", str(number)).stdout, "one import")
    check(w.cli("imports", "delete", str(number)).returncode == 0, "delete")
    w.want(404, "GET", f"{V1}/{number}")


def test_restart(w):
    number = w.post(201, {"files": [{"name": "a", "size": 1000}]})["id"]
    w.put(200, number, 0, b"x" * 10)
    w.stop()
    w.start()
    i = w.get(number)["imports"][0]
    check(i["state"] == "failed" and "import it again" in i["error"] and w.spooled() == [], f"{i} {w.spooled()}")


def test_limits(w):
    """An analysis that eats memory or time, breaks down, or says what it never says."""
    for what, words in (("c", "processor time"), ("a", "signal 6"), ("w", "signal 11"), ("m", "")):
        number = w.upload((what, what.encode() * 10), ("n", b"n"))
        i = w.until(number, "done")
        files = w.get(number)["files"]
        check(words in (files[0]["error"] or "-"), f"{what}: {files}")
        check(files[0]["error"] and files[1]["error"] is None and files[1]["packets"] == 7, f"{what}: {files}")
        check(i["connections_left_out"] == 3 and w.connections(number) == [], f"{i}")
    check(not pathlib.Path("/tmp/davylamp-import-escape").exists()
          or os.stat("/tmp/davylamp-import-escape").st_size == 0, "it could write a file")


def test_endless(w):
    number = w.upload(("s", b"s"))
    w.until(number, "running")
    w.want(200, "POST", f"{V1}/{number}/cancel")
    check(w.until(number, "cancelled")["ended"], "cancelled")
    i = w.until(w.upload(("s", b"s")), "failed")
    check("took longer than 3 s" in i["error"], f"{i}")


CONFIG = """imports: {{ analyzer = "{analyzer}"; root = "{root}"; size = 1; quota = 3; waiting = 20; silent = {silent};
 memory = {memory}; cpu = {cpu}; time = {time}; }};\n"""


def run(tests, silent=120, **config):
    w = Imports()
    (w.folder / "root").mkdir()
    with open(w.folder / "conf", "a") as f:
        f.write(CONFIG.format(root=w.folder / "root", silent=silent, **config).replace("{folder}", str(w.folder)))
        f.write(f'catalogue = "{w.bin}/../share/davylamp";\n')
    stand_in = w.folder / "analyzer"
    stand_in.write_text(STAND_IN)
    stand_in.chmod(stand_in.stat().st_mode | stat.S_IXUSR)
    with w:
        for test in tests:
            began = time.monotonic()
            test(w)
            print(f"{test.__name__} {time.monotonic() - began:.1f} s", flush=True)


if "limits" in sys.argv:
    run([test_limits], analyzer="{folder}/analyzer", memory=256, cpu=1, time=600)
    run([test_endless], analyzer="{folder}/analyzer", memory=256, cpu=60, time=3)
    run([test_broken_off], silent=2, analyzer="{folder}/analyzer", memory=256, cpu=60, time=60)
else:
    # A build with sanitizers maps more memory than any limit allows, so that the stand-in alone is limited.
    run([test_verdicts, test_minutes, test_none, test_hostile, test_upload, test_at_once, test_quota, test_bodies,
         test_server, test_roles, test_cli, test_restart],
        analyzer="", memory=0, cpu=60, time=60)
print("imports: all as wanted")
