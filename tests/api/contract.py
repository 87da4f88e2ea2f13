# SPDX-License-Identifier: Apache-2.0
"""docs/api/openapi.yaml against an aggregator as shipped: every path with every method, every parameter on each side
of its limits, every field of a body likewise, and of every answer (errors too) each field. That the routes are those of
the file, `unit.openapi` has from the other end."""
import csv
import io
import json
import re
import sqlite3
import sys
import time
import urllib.parse

from world import PATIENCE_S, World, check

try:
    from openapi import METHODS, Contract, wrong_values
except ImportError as e:
    print(f"contract: skipped, {e}: apt-get install python3-yaml python3-jsonschema")
    sys.exit(77)

V1 = "/api/v1"
FAULTS = []  # all are told at the end
GONE = 987654321  # the number of nothing
PASSWORD = "correct horse battery"

# A baseline as it is exported.
SPREAD = {"mean": 32000, "sd": 4000, "most": 41000, "carry": 0}
BASELINE = {"format": "davylamp-baseline", "format_version": 1, "from": 1790000000, "to": 1790001800, "minutes": 30,
            "mining": SPREAD, "other": SPREAD, "packets": SPREAD, "wallets": ["4wallet"], "destinations": [
                {"remote": "203.0.113.7", "port": 3333, "protocol": 6, "asn": 64500, "name": "p.example", "pool": "p",
                 "application": "stratum", "mining": True, "by": "pool", "bytes": 960000, "packets": 5400, "minutes": 30,
                 "period": 120, "jitter": 3},
                {"remote": "198.51.100.80", "port": 443, "protocol": 6, "by": "address"}]}

# What answers well, in an order in which it does: status, method, path, body, and (in angle brackets in later paths)
# what the number of the answer is called. {name} in a path is the file's, as are {id} and the names of parameters.
CALLS = [
    (200, "GET", "/health"),
    (200, "GET", "/session"),
    (200, "GET", "/status"),
    (200, "GET", "/sensors"),
    (200, "GET", "/miners?site=berlin&host=10.1.0.23&limit=1"),
    (200, "GET", "/miners?limit=1&after=1"),
    (200, "GET", "/miners/1?resolution=hour"),
    (200, "PATCH", "/miners/1", {"mark": "sanctioned", "reason": "ours"}),
    (200, "GET", "/miners/1"),
    (200, "GET", "/miners/1/timeline"),
    (200, "GET", "/connections?miner=1&site=berlin&limit=1"),
    (200, "GET", "/traffic?site=berlin&host=10.1.0.23&remote=198.51.100.80&application=https&limit=1"),
    (200, "GET", "/estimates?by=coin&site=berlin"),
    (200, "GET", "/estimates?by=fleet"),
    (200, "GET", "/coins?by=wallet"),
    (200, "GET", "/coins/series?step=60"),
    (200, "GET", "/gaps?sensor=sensor-berlin"),
    (200, "GET", "/never"),
    (200, "GET", "/addresses?ip=203.0.113.7,10.0.0.1"),
    (200, "GET", "/geo"),
    (200, "GET", "/blocks?removed=true"),
    (201, "POST", "/blocks", {"target": "203.0.113.200", "port": 3333, "transport": "udp", "site": "berlin",
                              "reason": "r", "ttl": 60, "kind": "remote"}, "block"),
    (201, "POST", "/blocks", {"target": "pool.example", "kind": "domain"}, "domain"),
    (201, "POST", "/blocks", {"target": "203.0.112.0/23"}, "wide"),
    (200, "PATCH", "/blocks/<wide>", {"approve": False}),
    (204, "DELETE", "/blocks/<block>"),
    (200, "GET", "/settings"),
    (200, "PUT", "/settings/capture.interval", {"value": "30", "site": "berlin"}),
    (204, "DELETE", "/settings/capture.interval?site=berlin"),
    (200, "PUT", "/settings/site.price", {"value": "0.25", "site": "berlin"}),
    (400, "PUT", "/settings/site.place", {"value": "91 0", "site": "berlin"}),
    (200, "GET", "/sites"),
    (200, "POST", "/sites", {"site": "berlin", "hold": True}),
    (200, "POST", "/sites", {"site": "berlin", "hold": False}),
    (404, "POST", "/sites", {"site": "nowhere", "hold": True}),
    (200, "GET", "/keys"),
    (200, "POST", "/keys/1", {"action": "rotate"}),
    (201, "POST", "/enrollments", {"site": "berlin", "name": "new", "ttl": 60}),
    (200, "GET", "/alerts?open=1&site=berlin&limit=1"),
    (200, "GET", "/alerts?limit=1&after=3"),
    (200, "POST", "/alerts/1/acknowledge", None),
    (201, "POST", "/policies", {"name": "p", "block": "server", "coin": "XMR", "hours": "08:00-18:00", "days": ["mon"]},
     "policy"),
    (200, "GET", "/policies"),
    (200, "PUT", "/policies/<policy>", {"name": "q", "alert": True, "sample": 20, "confidence": 0.995}),
    (200, "PATCH", "/policies/<policy>", {"mode": "on"}),
    (200, "PATCH", "/policies/<policy>", {"place": 1}),
    (200, "GET", "/policies/<policy>/dry-run"),
    (204, "DELETE", "/policies/<policy>"),
    (201, "POST", "/own", {"kind": "wallet", "value": "4wallet", "site": "berlin", "note": "n"}, "own"),
    (200, "GET", "/own"),
    (204, "DELETE", "/own/<own>"),
    (200, "GET", "/knowledge?kind=server&state=fresh&limit=1"),
    (200, "PATCH", "/knowledge/1", {"say": "extend", "days": 9, "note": "n"}),
    (200, "PATCH", "/knowledge/1", {"say": "accept"}),
    (200, "PATCH", "/knowledge/2", {"say": "mute"}),
    (200, "PATCH", "/knowledge/2", {"say": "nothing"}),
    (404, "PATCH", "/knowledge/999", {"say": "mute"}),
    (201, "POST", "/pool-entries", {"pool": "p", "fqdn": "p.example", "port": 3333, "coin": "XMR"}, "entry"),
    (200, "POST", "/pool-entries", {"pool": "p", "fqdn": "p.example", "port": 3333, "coin": "XMR"}),
    (200, "POST", "/pool-entries", {"entries": [{"pool": "p", "fqdn": "q.example", "tls": "yes"},
                                                {"pool": "p", "fqdn": "203.0.113.90", "port": 1}]}),
    (200, "PATCH", "/pool-entries/<entry>", {"port": 4444}),
    (200, "PATCH", "/pool-entries/<entry>", {"undo": True}),
    (200, "GET", "/pool-entries?deleted=1&limit=1"),
    (200, "GET", "/pools?q=p&limit=1"),
    (200, "GET", "/pools/1"),
    (200, "GET", "/pools/1/history"),
    (200, "GET", "/lookup?q=p.example"),
    (200, "GET", "/lookup?q=203.0.113.90:1"),
    (200, "GET", "/lookup?q=3333"),
    (204, "DELETE", "/pool-entries/<entry>"),
    (200, "PATCH", "/catalogue", {"resolve": False}),
    (200, "GET", "/catalogue"),
    (202, "POST", "/probes", {"host": "192.0.2.1", "port": 3333}, "probe"),
    (200, "GET", "/probes/<probe>"),
    (201, "POST", "/samples", {"what": "connection", "host": "10.1.0.23:1", "remote": "203.0.113.7:3333", "site": "berlin",
                               "sensor": "sensor-berlin", "transport": "tcp", "reason": "r"}, "sample"),
    (201, "POST", "/samples", {"what": "miner", "miner": 1}),
    (404, "POST", "/samples", {"what": "miner", "miner": GONE}),
    (200, "GET", "/samples?miner=1&limit=1"),
    (200, "GET", "/samples/<sample>"),
    (204, "DELETE", "/samples/<sample>"),
    (201, "POST", "/trackings", {"what": "connection", "host": "10.1.0.23:1", "remote": "203.0.113.7:3333", "transport": "tcp",
                                 "site": "berlin", "sensor": "sensor-berlin", "duration": 60, "ring": 1, "reason": "r"},
     "tracking"),
    (201, "POST", "/trackings", {"what": "miner", "miner": 1}),
    (404, "POST", "/trackings", {"what": "miner", "miner": GONE}),
    (409, "POST", "/trackings", {"what": "remote", "remote": "203.0.113.7:3333"}),  # a third one with samples
    (201, "POST", "/trackings", {"what": "remote", "remote": "203.0.113.7:3333", "ring": 0}, "remote"),
    (200, "GET", "/trackings?miner=1&limit=1"),
    (200, "GET", "/trackings/<tracking>"),
    (200, "GET", "/trackings/<tracking>/steps?step=60"),
    (200, "GET", "/samples?tracking=<tracking>"),
    (200, "POST", "/trackings/<tracking>/end", None),
    (200, "POST", "/trackings/<tracking>/end", None),
    (204, "DELETE", "/trackings/<tracking>"),
    (404, "POST", "/trackings/<tracking>/end", None),
    (204, "DELETE", "/trackings/<remote>"),
    (404, "POST", "/baselines", {"miner": GONE}),
    (201, "POST", "/baselines", {"miner": 1, "window": 600, "begin": "now", "by_asn": True}),
    (409, "POST", "/baselines", {"site": "berlin", "host": "10.1.0.99"}),
    (201, "POST", "/baselines", {"site": "berlin", "host": "10.1.0.23", "document": BASELINE}),
    (200, "POST", "/baselines/1/accept", {"note": "n"}),
    (200, "POST", "/baselines/1/accept", {"version": 1}),
    (200, "PATCH", "/miners/2", {"mark": "sanctioned"}),
    (201, "POST", "/baselines/1/copy", {"miner": 2}),
    (204, "DELETE", "/baselines/2"),
    (201, "POST", "/baselines/1/copy", {"site": "porto", "host": "10.2.0.42"}),
    (200, "GET", "/baselines?site=berlin"),
    (200, "GET", "/baselines/1"),
    (200, "GET", "/baselines/3"),
    (200, "GET", "/baselines/1/series"),
    (200, "GET", "/baselines/1/export?version=1"),
    (201, "POST", "/imports", {"files": [{"name": "a.pcap", "size": 4}], "site": "berlin", "name": "n"}, "import"),
    (200, "PUT", "/imports/<import>/data?offset=0", b"xx"),
    (200, "POST", "/imports/<import>/cancel", None),
    (200, "GET", "/imports?limit=1"),
    (200, "GET", "/imports/<import>"),
    (200, "GET", "/imports/<import>/connections?verdict=wallet&limit=1"),
    (204, "DELETE", "/imports/<import>"),
    (200, "GET", "/notify"),
    (200, "POST", "/notify/hook/test", None),
    (200, "POST", "/notify/hook/retry", None),
    (200, "GET", "/export/stix"),
    (200, "GET", "/export/misp"),
    (200, "GET", "/export/misp?format=event"),
    (200, "GET", "/decisions/stream?startup=true&scopes=ip"),
    (201, "POST", "/users", {"name": "ann", "role": "viewer", "password": PASSWORD, "sites": ["berlin"]}),
    (200, "GET", "/users"),
    (200, "PATCH", "/users/ann", {"role": "operator", "sites": None}),
    (204, "DELETE", "/users/ann"),
    (201, "POST", "/tokens", {"name": "t", "role": "viewer", "sites": ["berlin"], "ttl": 3600}, "token"),
    (200, "GET", "/tokens"),
    (204, "DELETE", "/tokens/<token>"),
    (202, "POST", "/backup", None),
    (200, "GET", "/backup"),
    (200, "GET", "/backup/file"),
    (204, "DELETE", "/backup"),
    (404, "GET", "/backup/file"),
    (200, "GET", "/audit?actor=cli&action=own&object=own&limit=1"),
    (200, "GET", "/audit?limit=1&after=3"),
    (200, "GET", "/audit/check"),
    (200, "GET", "/metrics"),
    (200, "GET", "/events"),
]

# What is promised and not met here, and who meets it.
NOT_MET = {
    ("POST", "/pending/{id}", 200): "takes a stranger: live.enroll",
    ("POST", "/sites", 202): "takes 26 blocks that wait behind a hold: unit.blocklist",
    ("POST", "/imports", 404): "takes a folder on the server: api.imports",
}

# Where answers differ one from the other: they say when they were asked for, or count the asking.
MOVING = ("/status", "/baselines/1/series", "/pools/1/history", f"/pools/{GONE}/history", "/lookup", "/export/stix", "/tokens")


def fault_unless(ok, what):
    if not ok:
        FAULTS.append(what)
    return ok


def alerts(w, n, subject="subject"):
    now = time.time_ns() // 1000
    with sqlite3.connect(w.folder / "davylamp.db", timeout=PATIENCE_S) as db:
        for i in range(n):
            db.execute("INSERT INTO alert (kind, subject, site, text, miner, count, first_us, raised_us, last_us)"
                       " VALUES (1, ?, 'berlin', 'mines', 1, 1, ?, ?, ?)", (f"{subject} {i}", now, now, now))
    db.close()


def good_calls(w):
    numbers = {}
    for want, method, path, *rest in CALLS:
        path = re.sub(r"<(\w+)>", lambda m: str(numbers[m[1]]), path)
        body = rest[0] if rest else None
        headers = {"Content-Type": "application/octet-stream"} if method == "PUT" and "/data" in path else None
        answer = w.call(method, V1 + path, body, headers=headers)
        check(answer.status == want, f"{method} {path} {body}: {answer.status} instead of {want}: {answer.text[:300]}")
        if len(rest) > 1:
            numbers[rest[1]] = answer.json["id"]
        if path == "/backup" and method == "POST":
            until = time.monotonic() + PATIENCE_S
            while w.want(200, "GET", V1 + "/backup")["state"] == "running":
                check(time.monotonic() < until, "the backup ends")
                time.sleep(0.02)


def sample_file(w):
    """What a sensor sent of a sample, put where the writer would."""
    number = w.want(201, "POST", V1 + "/samples", {"what": "everything", "sensor": "sensor-berlin"})["id"]
    w.stop()
    with sqlite3.connect(w.folder / "davylamp.db") as db:
        sensor = db.execute("SELECT no FROM sensor WHERE id = 'sensor-berlin'").fetchone()[0]
        db.execute("INSERT OR REPLACE INTO sample_file VALUES (?, ?, 3, '', 1, 100, 100, ?, 0)",
                   (number, sensor, time.time_ns() // 1000))
    db.close()
    (w.folder / "samples").mkdir(exist_ok=True)
    (w.folder / f"samples/{number}-{sensor}.blocks").write_bytes(b"\0" * 100)
    w.start()
    w.want(200, "GET", f"{V1}/samples/{number}/sensor-berlin.pcapng")


def unexpected(w):
    """What is said to destinations that a baseline does not know, put where the writer would."""
    now = time.time_ns() // 1000
    with sqlite3.connect(w.folder / "davylamp.db", timeout=PATIENCE_S) as db:
        for last in (1, 2):
            db.execute("INSERT INTO baseline_news VALUES (?, 1, ?, 6, 22, 64501, 0, 'n.example', '', 'ssh', 0, ?, ?, 400, 8, '')",
                       (last, bytes(10) + b"\xff\xff" + bytes((192, 0, 2, last)), now - 10**6, now))
    db.close()
    new = w.want(200, "GET", V1 + "/baselines/1")["unexpected"]
    check({(n["remote"], n["state"]) for n in new} == {("192.0.2.1", "new"), ("192.0.2.2", "new")}, new)
    says = [{"action": "watch"}, {"action": "unwatch"}, {"action": "block", "ttl": 60, "reason": "r"}, {"action": "accept", "by_asn": True}]
    for more, state in zip(says, ("watched", "new", "blocked", None)):
        told = w.want(200, "POST", V1 + "/baselines/1/destinations", {"destination": 1 if state else 2, **more})["unexpected"]
        check({n["id"]: n["state"] for n in told}.get(1 if state else 2) == state, told)
    blocks = w.want(200, "GET", V1 + "/blocks")["blocks"]
    check([b["port"] for b in blocks if b["target"].startswith("192.0.2.1")] == [22], blocks)
    places = w.want(200, "GET", V1 + "/baselines/1/export")["destinations"]
    check(("192.0.2.2", "asn") in [(p["remote"], p["by"]) for p in places], places)


def confidence(w):
    """A change that leaves it out, as programs from before it do, does not widen a policy."""
    number = w.want(201, "POST", V1 + "/policies", {"name": "sure", "confidence": 0.995})["id"]
    for says, want in (({}, 0.995), ({"confidence": 0.5}, 0.5), ({}, 0.5), ({"confidence": None}, 0)):
        told = w.want(200, "PUT", f"{V1}/policies/{number}", {"name": "sure", **says})
        check(told["confidence"] == want, f"{says}: {told}")
    w.want(204, "DELETE", f"{V1}/policies/{number}")


def sessions(w):
    cookie = w.login("admin", w.first_password())
    number = w.want(200, "GET", V1 + "/sessions", cookie=cookie)["sessions"][0]["id"]
    w.want(204, "DELETE", f"{V1}/sessions/{number}")
    a = w.call("POST", V1 + "/session", {"user": "admin", "password": w.first_password()}, token="")
    cookie = a.headers["Set-Cookie"].split(";")[0]
    a = w.call("POST", V1 + "/session/password", {"old": w.first_password(), "new": PASSWORD}, cookie=cookie)
    check(a.status == 200, a.text)
    w.want(204, "DELETE", V1 + "/session", cookie=a.headers["Set-Cookie"].split(";")[0])


def called(contract):
    """The operations that some call here is of."""
    calls = {(method, path) for method, path, _ in contract.seen} | {(method, path) for method, path, _ in NOT_MET}
    return {key: says for key, says in contract.operations.items() if key in calls}


def url_of(path, query=None):
    url = V1 + path.replace("{id}", str(GONE)).replace("{name}", "nobody")
    return url + ("?" + urllib.parse.urlencode(query) if query else "")


def refused(w, method, url, body, field, why, **kw):
    a = w.call(method, url, body, **kw)
    fault_unless(a.status == 400, f"{method} {url} {str(body)[:200]}: {a.status} instead of 400 ({why}): {a.text[:200]}")
    said = a.json["error"]["field"] if a.status == 400 else field
    fault_unless(field is None or said == field, f"{method} {url} {str(body)[:200]}: of {said} instead of {field} ({why})")


def parameters(w, contract):
    """Each limit from both sides; what is not named, or given twice, is refused by its name."""
    for (method, path), says in called(contract).items():
        named = contract.parameters(says, "query")
        base = {p["name"]: "203.0.113.7" for p in named if p.get("required")}
        headers = {"Content-Type": "application/octet-stream"} if method == "PUT" and "/data" in path else None
        body = b"" if method == "PUT" and "/data" in path else next((b for b in bodies_of(contract, method, path)), None)
        refused(w, method, url_of(path, {**base, "nosuch": 1}), body, "nosuch", "it is not in the file", headers=headers)
        for p in named:
            name, schema = p["name"], contract.resolve(p["schema"])
            kind = schema.get("type")
            for value in [v for v in wrong_values(schema) if not isinstance(v, list)]:
                refused(w, method, url_of(path, {**base, name: value}), body, name, f"{schema}", headers=headers)
            if kind == "number":
                refused(w, method, url_of(path, {**base, name: -1}), body, name, "no time", headers=headers)
            if name == "sort" and kind == "string":
                refused(w, method, url_of(path, {**base, name: "nosuch"}), body, name, "no column", headers=headers)
            good = [v for v in (schema.get("minimum"), schema.get("maximum"), *schema.get("enum", [])) if v is not None]
            for value in good + ["true", "false"] * (kind == "boolean"):
                a = w.call(method, url_of(path, {**base, name: value}), body, headers=headers)
                fault_unless(a.status != 400, f"{method} {path}: {name}={value} is refused: {a.text[:200]}")
            twice = url_of(path, {**base, name: base.get(name, good[0] if good else columns_of(contract, says)[0]
                                                         if name == "sort" else 1)})
            refused(w, method, f"{twice}&{name}=1", body, name, "it is given twice", headers=headers)
        for p in (p for p in named if p.get("required")):
            refused(w, method, url_of(path), body, p["name"], "it is required")


def bodies_of(contract, method, path):
    """The bodies of good calls of an operation."""
    return [call[3] for call in CALLS if len(call) > 3 and isinstance(call[3], dict) and call[1] == method
            and contract.path_of(V1 + re.sub("<.*?>", "1", call[2])) == path] or (
        [{"action": "reject"}] if path == "/pending/{id}" else
        [{"destination": 1, "action": "watch"}] if path == "/baselines/{id}/destinations" else
        [{"user": "nobody", "password": "x"}] if path == "/session" and method == "POST" else
        [{"old": PASSWORD, "new": "y" * 12}] if path == "/session/password" else [])


def bodies(w, contract):
    """What is wrong with a body is told by the name of the field, and each field's limits are those of the file."""
    for (method, path), says in called(contract).items():
        for schema in contract.body_schemas(says):
            mine = [b for b in bodies_of(contract, method, path) if set(b) <= set(schema["properties"])
                    and set(schema.get("required", [])) <= set(b)]
            fault_unless(mine, f"{method} {path}: no call here has a body of {sorted(schema['properties'])}")
            fault_unless(schema["additionalProperties"] is False, f"{method} {path}: a body of any fields")
            body, url = mine[0], url_of(path)
            others = [s for s in contract.body_schemas(says) if s is not schema]
            kw = {"cookie": w.login("admin", PASSWORD)} if path == "/session/password" else {}
            refused(w, method, url, {**body, "nosuch": 1}, None if others else "nosuch", "it is not in the file", **kw)
            for name in schema.get("required", []):
                without = {k: v for k, v in body.items() if k != name}
                if any(set(o.get("required", [])) <= set(without) for o in others):
                    continue
                a = w.call(method, url, without, **kw)
                fault_unless(a.status == 400, f"{method} {path} without {name}: {a.status} {a.text[:200]}")
            for name, field in schema["properties"].items():
                for value in wrong_values(contract.resolve(field)):
                    refused(w, method, url, {**body, name: value}, name, f"{field}", **kw)
            a = w.call(method, url, "[1]", **kw)
            fault_unless(a.status == 400, f"{method} {path}: a list is taken for a body")
            a = w.call(method, url, json.dumps(body), headers={"Content-Type": "text/plain"}, **kw)
            fault_unless(a.status == 400 and a.json["error"]["field"] == "Content-Type", f"{method} {path}: text/plain {a.text[:200]}")


def strangers_and_methods(w, contract):
    """401 without a token, 404 for the number of nothing, 405 for what the file does not have."""
    for (method, path), says in called(contract).items():
        headers = {"Content-Type": "application/octet-stream"} if method == "PUT" and "/data" in path else None
        body = b"" if method == "PUT" and "/data" in path else next((b for b in bodies_of(contract, method, path)), None)
        query = {p["name"]: "203.0.113.7" for p in contract.parameters(says, "query") if p.get("required")}
        a = w.call(method, url_of(path, query), body, token="", headers=headers)
        fault_unless((a.status == 401) == (says.get("security") != [] or path == "/metrics" or path == "/session"),
              f"{method} {path} by nobody: {a.status}")
        if "{" in path:
            a = w.call(method, url_of(path, query), body, headers=headers)
            fault_unless(a.status == 404 or path in ("/imports/{id}/connections", "/pools/{id}/history"),
                  f"{method} {path} of nothing: {a.status} {a.text[:200]}")
    for path in contract.file["paths"]:
        has = {m for m, p in contract.operations if p == path}
        for method in {m.upper() for m in METHODS} - has:
            a = w.call(method, url_of(path))
            fault_unless(a.status == 405 and set(a.headers["Allow"].split(", ")) == has, f"{method} {path}: {a.status} {a.headers}")


def tags(w, contract):
    """Every answer in JSON to GET has a tag, which spares it while it is the same; HEAD is GET without its body."""
    one = {contract.path_of(path): path for path, a in w.good.items() if "json" in a.headers.get("Content-Type", "")}
    for path in one.values():
        answer = w.good[path]
        fault_unless(re.fullmatch('"[0-9a-f]{32}"', answer.headers.get("ETag") or ""), f"GET {path} has no tag")
        for _ in range(20):  # what tells of the process changes now and then
            first = w.call("GET", path)
            again = w.call("GET", path, headers={"If-None-Match": first.headers["ETag"] or ""})
            if again.status == 304 or first.status != 200 or path.split("?")[0][len(V1):] in MOVING:
                break
        else:
            fault_unless(False, f"GET {path} is never the same")
        a = w.call("HEAD", path)
        fault_unless(a.status == first.status and not a.body, f"HEAD {path}: {a.status}")


def list_of(contract, says):
    """The name of the list that an answer is, and what its rows are."""
    schema = contract.resolve(says["responses"]["200"]["content"]["application/json"]["schema"])
    return next((n, s["items"]) for n, s in schema["properties"].items() if s.get("type") == "array")


def leaves(contract, schema, at=""):
    """The paths of what a row has, but for lists of objects."""
    schema = contract.resolve(schema)
    for word in ("anyOf", "oneOf"):
        if word in schema:
            schema = next(s for s in map(contract.resolve, schema[word]) if s.get("type") != "null")
    if "properties" in schema:
        return [leaf for n, s in schema["properties"].items() for leaf in leaves(contract, s, f"{at}.{n}" if at else n)]
    of_objects = "properties" in contract.resolve(schema.get("items", {}))
    return [] if of_objects else [at]


def columns_of(contract, says):
    return leaves(contract, list_of(contract, says)[1])


def value_of(row, path):
    for name in path.split("."):
        row = row[name] if row is not None else None
    return row


def cell_of(v):
    """What a value is in a file, by the words of the schema Csv."""
    if v is None or v == []:
        return ""
    if isinstance(v, bool):
        return "true" if v else "false"
    if isinstance(v, list):
        v = "; ".join(map(str, v))
    return ("'" if isinstance(v, str) and re.match(r" *[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n]", v) else "") + str(v)


def same_cell(cell, v):
    number = isinstance(v, (int, float)) and not isinstance(v, bool)
    return abs(float(cell) - v) <= 1e-9 * abs(v) if number and cell else cell == cell_of(v)


def pages(w, path, name, **query):
    """All rows, one a page."""
    rows, after = [], None
    while True:
        more = {"after": after} if after is not None else {}
        page = w.want(200, "GET", url_of(path, {**query, **more, "limit": 1}))
        rows, after = rows + page[name], page["next"]
        if after is None:
            return rows


def key_of(path, column):
    """What the API calls a column, and what is compared of a row: numbers and texts, lists by their first."""
    both = {"bytes": ("bytes.up", "bytes.down"), "shares": ("shares.submitted",), "client": ("client.ip",),
            "server": ("server.ip",)} if path in ("/miners", "/connections") else {}

    def key(row):
        v = [value_of(row, c) for c in both.get(column, (column,))]
        v = sum(v) if len(v) > 1 else v[0]
        v = (v or [None])[0] if isinstance(v, list) else v
        return v
    return key


def in_order(keys, down):
    there = [k for k in keys if k is not None]
    return keys[len(there):] == [None] * (len(keys) - len(there)) and there == sorted(there, reverse=down)


def lists(w, contract):
    """Each list by each column both ways, page by page too, and as a file that is what its JSON is."""
    for (method, path), says in called(contract).items():
        if "text/csv" not in says["responses"].get("200", {}).get("content", {}):
            continue
        name, columns = list_of(contract, says)[0], columns_of(contract, says)
        head = w.call("GET", url_of(path, {"format": "csv"})).text.split("\r\n")[0].split(",")
        if head != columns:
            print(f"{path}: not in the CSV: {[c for c in columns if c not in head]}")
        columns = [c for c in columns if c in head]
        named = {p["name"]: contract.resolve(p["schema"]) for p in contract.parameters(says, "query")}
        whole = w.want(200, "GET", url_of(path))[name]
        for sort in named["sort"].get("enum") or [d + c for c in columns for d in ("", "-")] if "sort" in named else []:
            key = key_of(path, sort.lstrip("-"))
            rows = w.want(200, "GET", url_of(path, {"sort": sort}))[name]
            fault_unless(len(rows) == len(whole) and in_order([key(r) for r in rows], sort[0] == "-"),
                         f"{path} by {sort}: {[key(r) for r in rows]}")
            if "after" in named:
                fault_unless([r["id"] for r in pages(w, path, name, sort=sort)] == [r["id"] for r in rows],
                             f"{path} by {sort}, page by page")
                by_number = path in ("/connections", "/alerts") and sort.lstrip("-") == "id"
                a = w.call("GET", url_of(path, {"sort": sort, "after": GONE}))
                fault_unless(a.status == (200 if by_number else 410), f"{path} by {sort} behind nothing: {a.status}")
        a = w.call("GET", url_of(path, {"format": "csv"}))
        text = a.body.decode()
        sheet = list(csv.reader(io.StringIO(text, newline="")))
        if not fault_unless(sheet[0] == columns, f"{path}: lists.c has the columns {sheet[0]}, the file {columns}"):
            continue
        fault_unless(text.count("\r\n") >= len(sheet) and a.headers["Content-Disposition"] == f'attachment; filename="davylamp-{name}.csv"',
                     f"{path}: lines end so, and it is saved")
        rows = w.want(200, "GET", url_of(path))[name]
        fault_unless(len(sheet) == len(rows) + 1 and (rows or path in EMPTY), f"{path}: {len(rows)} rows, {len(sheet)} lines")
        for cells, row in zip(sheet[1:], rows):
            for cell, column in zip(cells, columns):
                moves = column in ("used", "last_seen", "memory_bytes")
                fault_unless(moves or same_cell(cell, value_of(row, column)), f"{path}: {column} is {cell!r} of {row}")
        for cells in sheet[1:]:
            fault_unless(not any(re.match(r"\s*[=+@]|\s*-(?!\d)", c) for c in cells), f"{path}: a formula in {cells}")
        if "after" in named:
            got, link = [], url_of(path, {"format": "csv", "limit": 1})
            while link:
                a = w.call("GET", link)
                got += list(csv.reader(io.StringIO(a.text, newline="")))[1:]
                link = (re.fullmatch('<(.*)>; rel="next"', a.headers.get("Link") or "") or [None, None])[1]
            fault_unless([g[0] for g in got] == [c[0] for c in sheet[1:]], f"{path}: pages of a file: {got}")


def command_line(w, _):
    """Lists by the command line, in order, and whole however many pages they are of."""
    def out(*arguments, code=0):
        r = w.cli(*arguments)
        fault_unless(r.returncode == code, f"{arguments}: {r}")
        return r.stdout

    def column(name, *arguments):
        return [row[name] for row in csv.DictReader(io.StringIO(out(*arguments, "--csv"), newline=""))]

    fault_unless(column("host", "miners", "--sort", "host") == ["10.1.0.23", "10.2.0.42"], "miners by host")
    fault_unless(column("host", "miners", "--sort", "-host") == ["10.2.0.42", "10.1.0.23"], "and the other way")
    told = [json.loads(line)["id"] for line in out("blocks", "--sort", "id", "--json").splitlines()]
    fault_unless(told == sorted(told) and len(told) > 2, f"blocks by number: {told}")
    fault_unless(column("host", "baseline", "list", "--sort", "-host") == ["10.2.0.42", "10.1.0.23"], "baselines by host")
    fault_unless(column("name", "users", "list") == ["admin"] and column("name", "tokens")[0], "accounts")
    fault_unless("sensor-porto" in out("sensors", "--sort", "-id"), "a table")
    alerts(w, 1001, "many")
    there = column("id", "alerts", "all", "--sort", "id")
    fault_unless(len(there) > 1003 and there == [str(i) for i in sorted(map(int, there))], f"{len(there)} alerts")
    fault_unless(column("site", "traffic") == ["porto", "berlin"] or column("site", "traffic") == ["berlin", "porto"], "traffic")
    for wrong in (("status", "--csv"), ("users", "delete", "x", "--csv"), ("miners", "--sort", "a b"), ("audit", "--sort", "no")):
        out(*wrong, code=2)
    out("miners", "--sort", "nothing", code=1)


# Nothing is in these lists here, and their columns alone are looked at.
EMPTY = ("/gaps", "/sessions", "/never", "/own", "/policies", "/imports", "/users")


def all_met(contract):
    """Each answer that the file promises of a good call came."""
    for (method, path), says in called(contract).items():
        for status in map(int, says["responses"]):
            known = (method, path, status)
            general = status in (403, 409, 413, 429, 503)  # `accounts` has the roles; the others need a full or a busy one
            fault_unless(known in contract.seen or general or known in NOT_MET, f"never seen: {known}")
    told = {k for k in NOT_MET if k in contract.seen}
    fault_unless(not told, f"met after all: {told}")


# Nobody is asked for names, and nothing listens there.
CONFIG = 'notify: { receivers = ( "hook http://127.0.0.1:9/" ); };\npools: { resolve = false; };\n'

if __name__ == "__main__":
    with World(CONFIG) as world:
        steps = [lambda: alerts(world, 3), lambda: good_calls(world), lambda: unexpected(world), lambda: confidence(world), lambda: sessions(world), lambda: sample_file(world)]
        steps += [lambda f=f: f(world, world.contract) for f in (lists, parameters, bodies, strangers_and_methods, tags, command_line)]
        for step in steps:
            began = time.monotonic()
            step()
            print(f"{time.monotonic() - began:.1f} s")
        for key in set(world.contract.operations) - set(called(world.contract)):
            fault_unless(False, f"no line in CALLS: {key}")
        all_met(world.contract)
    if FAULTS:
        sys.exit("\n".join(FAULTS) + f"\n{len(FAULTS)} faults")
    print("contract: the file is true")
