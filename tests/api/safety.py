# SPDX-License-Identifier: Apache-2.0
"""The database against damage and mistakes: backup and restore by the programs as shipped, the look before a
start, setting aside; and that each refusal says what to do and changes nothing. And /metrics."""
import os
import re
import shutil
import sqlite3
import subprocess

from world import World, check

V1 = "/api/v1"


def daemon(w, *arguments):
    """The aggregator for a command, or for a start that fails."""
    return subprocess.run([w.bin / "davylamp-aggregator", "-c", w.folder / "conf", *arguments],
                          capture_output=True, text=True, timeout=60, check=False)


def sql(path, statement):
    with sqlite3.connect(path) as db:
        got = db.execute(statement).fetchone()
    db.close()
    return got and got[0]


def miners(w):
    return len(w.want(200, "GET", V1 + "/miners")["miners"])


def damage(path):
    size = os.path.getsize(path)
    with open(path, "r+b") as f:
        for page in range(1, size // 4096):
            f.seek(page * 4096)
            f.write(b"\xa5" * 4096)


def parse_metrics(text):
    """The samples, name and labels to value, after what the format wants: each metric is told once, before its
    samples, which stand together; names, labels and values are well-formed; a counter ends in _total."""
    samples, kinds, current = {}, {}, None
    check(text.endswith("\n"), "the last line ends")
    for line in text.splitlines():
        if m := re.fullmatch(r"# HELP ([a-z_]+) \S.*", line):
            check(m[1] not in kinds, f"{m[1]} is told once")
            current, kinds[m[1]] = m[1], None
        elif m := re.fullmatch(r"# TYPE ([a-z_]+) (counter|gauge)", line):
            check(m[1] == current and kinds[current] is None, f"the type of {m[1]} follows its help")
            kinds[current] = m[2]
            check((m[2] == "counter") == m[1].endswith("_total"), f"{m[1]} is a {m[2]}")
        else:
            m = re.fullmatch(r'([a-z_]+)((?:\{[a-z_]+="[^"\\]*"\})?) (-?[0-9.e+-]+)', line)
            check(m and m[1] == current and kinds[current], f"a sample in its place: {line}")
            check(m[1] + m[2] not in samples, f"a sample once: {line}")
            samples[m[1] + m[2]] = float(m[3])
    check(all(any(s.split("{")[0] == k for s in samples) for k in kinds), "each metric has samples")
    return samples


def measures(w):
    def read(path="/metrics"):
        a = w.call("GET", path)
        check(a.status == 200 and a.headers["Content-Type"].startswith("text/plain; version=0.0.4"), a.text[:200])
        return a.text
    first = parse_metrics(read())
    if promtool := shutil.which("promtool"):
        r = subprocess.run([promtool, "check", "metrics"], input=read(), capture_output=True, text=True, check=False)
        check(r.returncode == 0, f"promtool: {r.stdout} {r.stderr}")
    w.want(404, "GET", V1 + "/nothing")
    then, status = parse_metrics(read(V1 + "/metrics")), w.want(200, "GET", V1 + "/status")
    refused = 'davylamp_http_responses_total{class="4xx"}'
    check(then[refused] == first[refused] + 1, "an answer is counted")
    check(then["davylamp_sensors"] == status["sensors"]["total"] > 0, "sensors are those of the status")
    check(then['davylamp_miners{state="confirmed"}'] == status["miners"]["confirmed"] > 0, "so are miners")
    check(then["davylamp_database_bytes"] > 0 and then["process_resident_memory_bytes"] > 1e6, "sizes")
    check(w.call("GET", "/metrics", token="").status == 401, "it takes a token")


def backs_up(w):
    copy = w.folder / "copy.db"
    check(w.want(200, "GET", V1 + "/backup")["state"] == "none", "there is no backup yet")
    w.want(404, "GET", V1 + "/backup/file")
    r = w.cli("backup", copy)
    check(r.returncode == 0 and "server.key list.key" in r.stdout, f"backup: {r.stdout} {r.stderr}")
    check(sql(copy, "PRAGMA integrity_check") == "ok", "the copy is whole")
    check(copy.stat().st_mode & 0o777 == 0o600, "nobody else may read the copy")
    check(w.want(200, "GET", V1 + "/backup")["state"] == "none", "it is not kept twice")
    check(w.cli("backup", copy).returncode == 1, "a file that is there is not written over")
    r = w.cli("backup")
    check(r.returncode == 0 and str(w.folder / "davylamp.db.backup") in r.stdout, f"backup: {r.stdout} {r.stderr}")
    check(w.want(200, "GET", V1 + "/backup")["state"] == "done", "the one beside the database is known")
    done = [a["action"] for a in w.want(200, "GET", V1 + "/audit?limit=20")["audit"]]
    check(done.count("backup.read") == 1 and done.count("backup.make") == 2, f"who did it is written down: {done}")
    return copy


def restores(w, copy):
    database = w.folder / "davylamp.db"
    n, epoch = miners(w), sql(copy, "SELECT value FROM meta WHERE key = 'epoch'")
    r = daemon(w, "restore", copy)
    check(r.returncode == 1 and "in use" in r.stderr, f"not while it is served: {r.stderr}")
    r = daemon(w)
    check(r.returncode == 1 and "in use" in r.stderr, f"a second one does not start: {r.stderr}")
    w.stop()
    sql(copy, "PRAGMA user_version = 999")
    r = daemon(w, "restore", copy)
    check(r.returncode == 1 and "later davylamp-aggregator" in r.stderr and "999" in r.stderr,
          f"a later version is told: {r.stderr}")
    sql(copy, f"PRAGMA user_version = {sql(database, 'PRAGMA user_version')}")
    sql(database, "DELETE FROM miner")
    r = daemon(w, "restore", copy)
    check(r.returncode == 0 and str(database) + ".before-" in r.stdout, f"restore: {r.stdout} {r.stderr}")
    check(sql(database, "SELECT value FROM meta WHERE key = 'epoch'") > epoch, "there is a new epoch")
    w.start()
    check(miners(w) == n > 0, "what was lost is back")
    w.stop()


def refuses_damage(w, copy):
    database = w.folder / "davylamp.db"
    r = daemon(w, "set-aside")
    check(r.returncode == 1 and "whole" in r.stderr, f"a whole one is not set aside: {r.stderr}")
    damage(database)
    before = database.read_bytes()
    r = daemon(w)
    check(r.returncode == 1 and "damaged" in r.stderr and "restore FILE" in r.stderr and "set-aside" in r.stderr,
          f"damage is told, and what to do: {r.stderr}")
    check(database.read_bytes() == before, "and nothing is changed")
    damage(copy)
    r = daemon(w, "restore", copy)
    check(r.returncode == 1 and "backup is damaged" in r.stderr, f"so it is of a backup: {r.stderr}")
    r = daemon(w, "set-aside")
    check(r.returncode == 0 and ".aside-" in r.stdout, f"set-aside: {r.stdout} {r.stderr}")
    check([p for p in w.folder.iterdir() if ".aside-" in p.name], "the file is kept")
    w.start()
    check(miners(w) == 0, "a new one is begun")


with World() as world:
    measures(world)
    file = backs_up(world)
    restores(world, file)
    refuses_damage(world, file)
print("ok")
