# SPDX-License-Identifier: Apache-2.0
"""Accounts, tokens and sessions against an aggregator as shipped: who sees and does what, for every
route, and how soon a change holds."""
import json
import re
import socket
import sqlite3

from world import World, check

V1 = "/api/v1"
ROLES = ["none", "viewer", "operator", "admin"]

# Every route: method, path, body, the least role, and what somebody for berlin alone gets of that role or
# a higher one: for what is of berlin, of porto, and of every site. 1 and 2 are the numbers of berlin's and
# porto's own (3: the block of every site). An answer that is let in may still be 4xx for its content.
ROUTES = [
    ("GET", "/health", None, "none", {}),
    ("GET", "/session", None, "viewer", {}),
    ("GET", "/sessions", None, "viewer", {}),
    ("DELETE", "/sessions/999", None, "viewer", {"/sessions/999": 404}),
    ("POST", "/session/password", {"old": "x", "new": "y" * 12}, "viewer", {"/session/password": 403}),
    ("GET", "/status", None, "viewer", {}),
    ("GET", "/sensors", None, "viewer", {}),
    ("GET", "/miners", None, "viewer", {"/miners?site=porto": 200}),
    ("GET", "/miners/1", None, "viewer", {"/miners/1": 200, "/miners/2": 404}),
    ("GET", "/miners/1/timeline", None, "viewer", {"/miners/1/timeline": 200, "/miners/2/timeline": 404}),
    ("PATCH", "/miners/1", {"mark": None}, "operator", {"/miners/1": 200, "/miners/2": 404}),
    ("GET", "/connections", None, "viewer", {"/connections?miner=2": 200, "/connections?site=porto": 200}),
    ("GET", "/traffic", None, "viewer", {"/traffic?site=porto": 200}),
    ("GET", "/addresses?ip=203.0.113.7", None, "viewer", {}),
    ("GET", "/geo", None, "viewer", {}),
    ("GET", "/estimates", None, "viewer", {"/estimates?by=site": 200}),
    ("GET", "/coins", None, "viewer", {"/coins?site=porto": 200}),
    ("GET", "/coins/series", None, "viewer", {"/coins/series?site=porto": 200}),
    ("GET", "/gaps", None, "viewer", {"/gaps?sensor=sensor-porto": 200}),
    ("GET", "/never", None, "viewer", {}),
    ("GET", "/catalogue", None, "viewer", {}),
    ("PATCH", "/catalogue", {}, "admin", {"/catalogue": 403}),
    ("POST", "/probes", {}, "operator", {"/probes": 403}),
    ("GET", "/probes/999", None, "viewer", {"/probes/999": 404}),
    ("GET", "/pools", None, "viewer", {}),
    ("GET", "/pools/999", None, "viewer", {"/pools/999": 404}),
    ("GET", "/pools/999/history", None, "viewer", {}),
    ("GET", "/pool-entries", None, "viewer", {}),
    ("GET", "/knowledge", None, "viewer", {}),
    ("PATCH", "/knowledge/999", {"say": "mute"}, "operator", {"/knowledge/999": 403}),
    ("POST", "/pool-entries", {"pool": "p", "fqdn": "p.example", "port": 1}, "operator", {"/pool-entries": 403}),
    ("PATCH", "/pool-entries/999", {"port": 1}, "operator", {"/pool-entries/999": 403}),
    ("DELETE", "/pool-entries/999", None, "operator", {"/pool-entries/999": 403}),
    ("GET", "/lookup?q=203.0.113.77", None, "viewer", {"/lookup?q=berlin.example": 200}),
    ("GET", "/alerts", None, "viewer", {"/alerts?site=porto": 200}),
    ("POST", "/alerts/999/acknowledge", None, "operator", {"/alerts/999/acknowledge": 404}),
    ("GET", "/notify", None, "admin", {"/notify": 403}),
    ("POST", "/notify/nobody/test", None, "admin", {"/notify/nobody/test": 403}),
    ("POST", "/notify/nobody/retry", None, "admin", {"/notify/nobody/retry": 403}),
    ("GET", "/export/stix", None, "viewer", {}),
    ("GET", "/export/misp", None, "viewer", {"/export/misp?format=event": 200}),
    ("GET", "/decisions/stream", None, "viewer", {"/decisions/stream?startup=true": 200}),
    ("GET", "/policies", None, "viewer", {}),
    ("POST", "/policies", {}, "operator", {"/policies": 403}),
    ("PUT", "/policies/999", {}, "operator", {"/policies/999": 403}),
    ("PATCH", "/policies/999", {}, "operator", {"/policies/999": 403}),
    ("DELETE", "/policies/999", None, "operator", {"/policies/999": 403}),
    ("GET", "/policies/999/dry-run", None, "viewer", {"/policies/999/dry-run": 404}),
    ("GET", "/samples", None, "viewer", {"/samples?miner=2": 200}),
    ("GET", "/samples/999", None, "viewer", {"/samples/999": 404}),
    ("GET", "/samples/999/nobody", None, "operator", {"/samples/999/nobody": 404}),
    ("DELETE", "/samples/999", None, "operator", {"/samples/999": 404}),
    ("GET", "/trackings", None, "viewer", {"/trackings?miner=2": 200}),
    ("GET", "/trackings/999", None, "viewer", {"/trackings/999": 404}),
    ("GET", "/trackings/999/steps", None, "viewer", {"/trackings/999/steps": 404}),
    ("POST", "/trackings/999/end", {}, "operator", {"/trackings/999/end": 404}),
    ("DELETE", "/trackings/999", None, "operator", {"/trackings/999": 404}),
    ("GET", "/baselines", None, "viewer", {"/baselines?site=porto": 200}),
    ("GET", "/baselines/999", None, "viewer", {"/baselines/999": 404}),
    ("DELETE", "/baselines/999", None, "operator", {"/baselines/999": 404}),
    ("GET", "/baselines/999/series", None, "viewer", {"/baselines/999/series": 404}),
    ("GET", "/baselines/999/export", None, "viewer", {"/baselines/999/export": 404}),
    ("POST", "/baselines/999/accept", {}, "operator", {"/baselines/999/accept": 404}),
    ("POST", "/baselines/999/copy", {"site": "berlin", "host": "10.0.0.9"}, "operator", {"/baselines/999/copy": 404}),
    ("POST", "/baselines/999/destinations", {"destination": 1, "action": "watch"}, "operator", {"/baselines/999/destinations": 404}),
    ("GET", "/imports", None, "viewer", {}),
    ("GET", "/imports/999", None, "viewer", {"/imports/999": 404}),
    ("DELETE", "/imports/999", None, "operator", {"/imports/999": 404}),
    ("GET", "/imports/999/connections", None, "viewer", {}),
    ("PUT", "/imports/999/data?offset=0", None, "operator", {"/imports/999/data?offset=0": 400}),
    ("POST", "/imports/999/cancel", None, "operator", {"/imports/999/cancel": 404}),
    ("GET", "/own", None, "viewer", {}),
    ("DELETE", "/own/999", None, "operator", {"/own/999": 404}),
    ("GET", "/settings", None, "viewer", {}),
    ("PUT", "/settings/nobody", {"value": "1", "site": "berlin"}, "operator", {"/settings/nobody": 404}),
    ("DELETE", "/settings/nobody?site=berlin", None, "operator",
     {"/settings/nobody?site=berlin": 404, "/settings/nobody?site=porto": 403, "/settings/nobody": 403}),
    ("GET", "/blocks", None, "viewer", {"/blocks?removed=true": 200}),
    ("GET", "/sites", None, "viewer", {}),
    ("GET", "/keys", None, "viewer", {}),
    ("POST", "/keys/1", {"action": "rotate"}, "admin", {"/keys/1": 200, "/keys/2": 404}),
    ("PATCH", "/blocks/1", {"approve": True}, "operator", {"/blocks/1": 404, "/blocks/2": 404, "/blocks/3": 403}),
    ("DELETE", "/blocks/99", None, "operator", {"/blocks/99": 404, "/blocks/2": 404, "/blocks/3": 403}),
    ("GET", "/audit", None, "operator", {"/audit": 403}),
    ("GET", "/audit/check", None, "operator", {"/audit/check": 403}),
    ("GET", "/metrics", None, "viewer", {"/metrics": 403}),
    ("POST", "/backup", None, "admin", {"/backup": 403}),
    ("GET", "/backup", None, "admin", {"/backup": 403}),
    ("GET", "/backup/file", None, "admin", {"/backup/file": 403}),
    ("DELETE", "/backup", None, "admin", {"/backup": 403}),
    ("GET", "/events", None, "viewer", {}),
    ("GET", "/users", None, "admin", {"/users": 403}),
    ("PATCH", "/users/nobody", {"disabled": True}, "admin", {"/users/nobody": 403}),
    ("DELETE", "/users/nobody", None, "admin", {"/users/nobody": 403}),
    ("POST", "/users", {}, "admin", {"/users": 403}),
    ("GET", "/tokens", None, "admin", {"/tokens": 403}),
    ("POST", "/tokens", {}, "admin", {"/tokens": 403}),
    ("DELETE", "/tokens/999", None, "admin", {"/tokens/999": 403}),
    ("POST", "/pending/1", {"action": "reject"}, "admin", {"/pending/1": 403}),
    ("POST", "/session", {"user": "x", "password": "x"}, "none", {}),
    ("DELETE", "/session", None, "viewer", {}),
]
# Those whose body names the site.
BODIES = [
    ("/blocks", "operator", {"target": "203.0.113.99"}, {"berlin": 201, "porto": 403, None: 403}),
    ("/sites", "operator", {"hold": True}, {"berlin": 200, "porto": 403}),
    ("/samples", "operator", {"what": "everything"}, {"berlin": 201, "porto": 403, None: 403}),
    ("/trackings", "operator", {"what": "remote", "remote": "203.0.113.9", "ring": 0}, {"berlin": 201, "porto": 403, None: 403}),
    ("/baselines", "operator", {"host": "10.9.9.9"}, {"berlin": 409, "porto": 403, None: 400}),
    ("/own", "operator", {"kind": "wallet", "value": "4wallet"}, {"berlin": 201, "porto": 403, None: 403}),
    ("/imports", "operator", {"files": [{"name": "a", "size": 1}]}, {"berlin": 201, "porto": 403, None: 403}),
    ("/enrollments", "admin", {}, {"berlin": 201, "porto": 403}),
]


def make_tokens(w):
    made = {}
    for role in ROLES[1:]:
        for sites in (None, ["berlin"]):
            name = f"{role}-{'all' if sites is None else 'berlin'}"
            t = w.want(201, "POST", V1 + "/tokens", {"name": name, "role": role, "sites": sites})
            check(t["token"].startswith("davylamp_"), "a token is shown")
            made[role, sites is None] = t["token"]
    return made


def every_route(w, tokens):
    served = set()
    for method, path, body, least, scoped in ROUTES:
        served.add((method, re.sub(r"/(\d+|nobody)", "", path.split("?")[0])))
        for role in ROLES:
            token = tokens[role, True] if role != "none" else ""
            a = w.call(method, V1 + path, body, token=token)
            if ROLES.index(role) < ROLES.index(least):
                want = 401 if role == "none" else 403
                check(a.status == want, f"{method} {path} as {role}: {a.status}")
            else:
                check(a.status not in (403,) or path in ("/session/password",), f"{method} {path} as {role}: {a.text}")
                check(a.status != 401 or path == "/session", f"{method} {path} as {role}: {a.text}")
        if least == "none":
            continue
        for role in ROLES[ROLES.index(least):]:
            token = tokens[role, False]
            for at, want in (scoped or {path: 200 if method == "GET" else 204}).items():
                a = w.call(method, V1 + at, body, token=token)
                check(a.status == want, f"{method} {at} for berlin as {role}: {a.status} {a.text}")
                check("porto" not in a.text, f"{method} {at} for berlin as {role} tells of porto: {a.text}")
                check("203.0.113.77" not in a.text and "10.2.0.42" not in a.text, f"{method} {at}: {a.text}")
    for path, least, body, sites in BODIES:
        served.add(("POST", path))
        for role in ROLES[1:]:
            for site, want in sites.items():
                a = w.call("POST", V1 + path, {**body, "site": site}, token=tokens[role, False])
                if ROLES.index(role) < ROLES.index(least):
                    want = 403
                elif a.status == 409 and want < 300:
                    want = 409  # the role before has done it
                check(a.status == want, f"POST {path} {site} for berlin as {role}: {a.status} {a.text}")
    return served


def whole_and_part(w, tokens):
    """What berlin sees is there, and the sums are of berlin alone."""
    part, whole = tokens["viewer", False], tokens["viewer", True]
    for path, name, n in (("/sensors", "sensors", 1), ("/miners", "miners", 1), ("/connections", "connections", 2),
                          ("/sites", "sites", 1), ("/keys", "keys", 1), ("/traffic", "traffic", 1)):
        mine = w.want(200, "GET", V1 + path, token=part)[name]
        every = w.want(200, "GET", V1 + path, token=whole)[name]
        check(len(mine) == n and len(every) == 2 * n, f"{path}: {len(mine)} of {len(every)}")
        check(all(row in every or path == "/keys" for row in mine) or path == "/status", f"{path}: the same rows")
    mine, every = w.want(200, "GET", V1 + "/status", token=part), w.want(200, "GET", V1 + "/status", token=whole)
    check((mine["sensors"]["total"], every["sensors"]["total"]) == (1, 2), "sensors in the status")
    check((mine["miners"]["confirmed"], every["miners"]["confirmed"]) == (1, 2), "miners in the status")
    total = w.want(200, "GET", V1 + "/traffic", token=part)["total"]["bytes"]["out"]
    check(total == 3000, f"the sum of the traffic: {total}")
    blocks = w.want(200, "GET", V1 + "/blocks", token=part)["blocks"]
    check({b["site"] for b in blocks} == {"berlin", None}, "blocks of berlin and of every site")
    check({s["site"] for b in blocks for s in b["sensors"]} == {"berlin"}, "their state at berlin's sensors")
    check(w.want(200, "GET", V1 + "/session", token=part)["sites"] == ["berlin"], "the scope is told")


class Stream:
    """An event stream; until(text) waits for a text and gives all that came so far."""

    def __init__(self, w, token, last=None):
        self.s = socket.create_connection(("127.0.0.1", w.port), 30)
        more = f"Last-Event-ID: {last}\r\n" if last else ""
        self.s.sendall(f"GET /api/v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n{more}\r\n".encode())
        self.text = ""
        self.until("retry: 2000")

    def until(self, what):
        while what not in self.text:
            data = self.s.recv(65536)
            if not data:
                raise AssertionError(f"the stream ended before {what}: {self.text[-500:]}")
            self.text += data.decode()
        return self.text

    def ends(self):
        while self.s.recv(65536):
            pass


def streams(w, tokens):
    part, whole = Stream(w, tokens["viewer", False]), Stream(w, tokens["viewer", True])
    for site, miner in (("porto", 2), ("berlin", 1)):
        w.want(200, "PATCH", f"{V1}/miners/{miner}", {"mark": "dismissed", "reason": f"seen at {site}"})
    whole.until("seen at porto")
    text = part.until("seen at berlin")
    check("porto" not in text, "the stream of berlin tells of porto")
    check("seen at berlin" in whole.until("seen at berlin"), "the other one tells of both")
    status = json.loads(text.split("event: status\ndata: ")[1].split("\n")[0]) if "event: status" in text else None
    check(status is None or status["sensors"]["total"] == 1, "its status is of berlin")
    return part


def revocation(w, tokens, open_stream):
    listed = w.want(200, "GET", V1 + "/tokens")["tokens"]
    mine = next(t for t in listed if t["name"] == "viewer-berlin")
    check(mine["used"] is not None and mine["token"] is None and mine["created_by"] == "aggregator", f"{mine}")
    w.want(204, "DELETE", f"{V1}/tokens/{mine['id']}")
    w.want(401, "GET", V1 + "/status", token=tokens["viewer", False])
    open_stream.ends()
    w.want(404, "DELETE", f"{V1}/tokens/{mine['id']}")


def second_person(w):
    """Whoever entered a block does not approve it, by a token of theirs neither."""
    w.want(201, "POST", V1 + "/users", {"name": "olga", "role": "admin", "password": "correct horse"})
    cookie = w.login("olga", "correct horse")
    token = w.want(201, "POST", V1 + "/tokens", {"name": "olgas", "role": "admin"}, cookie=cookie)
    again = w.want(201, "POST", V1 + "/tokens", {"name": "olgas2", "role": "admin"}, token=token["token"])
    check(again["created_by"] == "olga", f"a token's token is olga's: {again}")
    block = w.want(201, "POST", V1 + "/blocks", {"target": "203.0.112.0/23", "reason": "wide", "ttl": 3600}, token=again["token"])
    check(block["approval"]["state"] == "waiting", f"{block}")
    w.want(204, "DELETE", f"{V1}/tokens/{again['id']}", cookie=cookie)
    for who in ({"cookie": cookie}, {"token": token["token"]}):
        a = w.want(403, "PATCH", f"{V1}/blocks/{block['id']}", {"approve": True}, **who)
        check("olga entered it" in a["error"]["message"], f"{a}")
    w.want(200, "PATCH", f"{V1}/blocks/{block['id']}", {"approve": True})


BAD_USERS = [
    ({}, "name"), ({"name": "a b", "role": "viewer", "password": "x" * 12}, "name"),
    ({"name": "", "role": "viewer", "password": "x" * 12}, "name"),
    ({"name": "x" * 65, "role": "viewer", "password": "x" * 12}, "name"),
    ({"name": "eve/..", "role": "viewer", "password": "x" * 12}, "name"),
    ({"name": "eve", "role": "root", "password": "x" * 12}, "role"),
    ({"name": "eve", "role": "none", "password": "x" * 12}, "role"),
    ({"name": "eve", "password": "x" * 12}, "role"),
    ({"name": "eve", "role": "viewer", "password": "short"}, "password"),
    ({"name": "eve", "role": "viewer", "password": "x" * 257}, "password"),
    ({"name": "eve", "role": "viewer", "password": "x" * 12, "sites": []}, "sites"),
    ({"name": "eve", "role": "viewer", "password": "x" * 12, "sites": "berlin"}, "sites"),
    ({"name": "eve", "role": "viewer", "password": "x" * 12, "sites": ["a\nb"]}, "sites"),
    ({"name": "eve", "role": "viewer", "password": "x" * 12, "sites": ["x" * 60] * 20}, "sites"),
    ({"name": "eve", "role": "viewer", "password": "x" * 12, "admin": True}, "admin"),
]


def users(w):
    for body, field in BAD_USERS:
        a = w.want(400, "POST", V1 + "/users", body)
        check(a["error"]["field"] == field, f"{body}: {a}")
    w.want(201, "POST", V1 + "/users", {"name": "ann", "role": "viewer", "password": "correct horse", "sites": ["berlin"]})
    w.want(409, "POST", V1 + "/users", {"name": "ann", "role": "viewer", "password": "correct horse"})
    w.want(409, "POST", V1 + "/tokens", {"name": "ann", "role": "viewer"})
    w.want(409, "POST", V1 + "/users", {"name": "cli", "role": "viewer", "password": "correct horse"})
    cookie = w.login("ann", "correct horse")
    check(len(w.want(200, "GET", V1 + "/miners", cookie=cookie)["miners"]) == 1, "ann sees berlin")
    w.want(403, "PATCH", V1 + "/miners/1", {"mark": None}, cookie=cookie)
    w.want(200, "PATCH", V1 + "/users/ann", {"role": "operator", "sites": None})
    w.want(200, "PATCH", V1 + "/miners/2", {"mark": None}, cookie=cookie)

    mine = w.want(200, "GET", V1 + "/sessions", cookie=cookie)["sessions"]
    check({s["user"] for s in mine} == {"ann"} and sum(s["current"] for s in mine) == 1, f"{mine}")
    a = w.want(403, "POST", V1 + "/session/password", {"old": "wrong", "new": "battery staple"}, cookie=cookie)
    check(a["error"]["field"] == "old", "the old password is asked for")
    a = w.call("POST", V1 + "/session/password", {"old": "correct horse", "new": "battery staple"}, cookie=cookie)
    check(a.status == 200, a.text)
    w.want(401, "GET", V1 + "/session", cookie=cookie)
    cookie = a.headers["Set-Cookie"].split(";")[0]
    w.want(200, "GET", V1 + "/session", cookie=cookie)

    every = w.want(200, "GET", V1 + "/sessions")["sessions"]
    check(len(every) == 1, "the sessions with the old password are over")
    w.want(204, "DELETE", f"{V1}/sessions/{every[0]['id']}")
    w.want(401, "GET", V1 + "/session", cookie=cookie)
    cookie = w.login("ann", "battery staple")
    w.want(200, "PATCH", V1 + "/users/ann", {"disabled": True})
    w.want(401, "GET", V1 + "/session", cookie=cookie)
    w.want(401, "POST", V1 + "/session", {"user": "ann", "password": "battery staple"}, token="")
    w.want(204, "DELETE", V1 + "/users/ann")
    w.want(404, "DELETE", V1 + "/users/ann")
    w.want(404, "PATCH", V1 + "/users/an%2Fn", {"disabled": True})
    for change in ({"role": "viewer"}, {"disabled": True}, {"sites": ["berlin"]}):
        w.want(409, "PATCH", V1 + "/users/admin", change)
    w.want(409, "DELETE", V1 + "/users/admin")
    w.want(400, "PATCH", V1 + "/users/admin", {})


def command_line(w):
    def run(says, *arguments, code=0):
        r = w.cli(*arguments)
        check(r.returncode == code and says in r.stdout + r.stderr, f"{arguments}: {r}")
        return r.stdout

    (w.folder / "pw").write_text("correct horse battery\n")
    run("bob", "users", "add", "bob", "--role", "viewer", "--site", "berlin", "--password-file", str(w.folder / "pw"))
    run("berlin", "users")
    run("operator", "users", "change", "bob", "--role", "operator")
    run("disabled", "users", "disable", "bob")
    run("enabled", "users", "enable", "bob")
    run("deleted", "users", "delete", "bob")
    run("needs --role", "users", "add", "bob", code=2)
    text = run("davylamp_", "tokens", "add", "grafana", "--role", "viewer", "--site", "berlin", "--ttl", "3600")
    (w.folder / "tok").write_text(next(x for x in text.split() if x.startswith("davylamp_")) + "\n")
    check("sensor-porto" not in w.cli("sensors", token_file=w.folder / "tok").stdout, "the token is for berlin")
    run("grafana", "tokens")
    run("revoked", "tokens", "revoke", "grafana")
    check(w.cli("status", token_file=w.folder / "tok").returncode == 1, "it is revoked")


def audit(w):
    rows = w.want(200, "GET", V1 + "/audit")["audit"]
    told = {(r["action"], r["object"]) for r in rows}
    for want in (("user.create", "ann"), ("user.change", "ann"), ("user.delete", "ann"), ("session.end", "ann"),
                 ("api-token.create", "viewer-berlin"), ("api-token.revoke", "viewer-berlin")):
        check(want in told, f"{want} is not in the audit log")
    check(not any("correct horse" in json.dumps(r) or "davylamp_" in json.dumps(r) for r in rows), "no secret is in it")


def audit_pages(w):
    """Filters and pages of the log, and what its chain of hashes tells after somebody was at it."""
    every = w.want(200, "GET", V1 + "/audit")["audit"]
    made = w.want(200, "GET", V1 + "/audit?action=user.create&actor=cli")["audit"]
    check(made == [r for r in every if r["action"] == "user.create" and r["actor"] == "cli"] and made, "the filter")
    check(w.want(200, "GET", V1 + "/audit?object=nobody&actor=nobody")["audit"] == [], "nothing fits")
    got, after = [], ""
    while True:
        page = w.want(200, "GET", f"{V1}/audit?limit=3{after}")
        got += page["audit"]
        if page["next"] is None:
            break
        check(len(page["audit"]) == 3, "a full page")
        after = f"&after={page['next']}"
    check(got == every, "the pages are the whole")
    for bad in ("limit=0", "limit=1001", "after=x", "who=x"):
        w.want(400, "GET", f"{V1}/audit?{bad}")
    check(w.want(200, "GET", V1 + "/audit/check") == {"whole": True, "broken_at": None}, "the log is whole")
    r = w.cli("audit", "--verify")
    check(r.returncode == 0 and "whole" in r.stdout, f"{r}")
    w.stop()
    with sqlite3.connect(w.folder / "davylamp.db") as db:
        db.execute("UPDATE audit SET actor = 'somebody' WHERE no = ?", (every[2]["no"],))
    db.close()
    w.start()
    a = w.want(200, "GET", V1 + "/audit/check")
    check(a == {"whole": False, "broken_at": every[2]["no"]}, f"{a}")
    r = w.cli("audit", "--verify")
    check(r.returncode == 1 and "broken at row" in r.stdout, f"{r}")
    r = w.cli("doctor")
    check(r.returncode == 1 and "critical audit log: it is broken at row" in r.stdout, f"{r}")


def restart(w):
    """Accounts, and when a token was last used, are there after a restart; sessions are not."""
    w.want(201, "POST", V1 + "/users", {"name": "eve", "role": "viewer", "password": "correct horse"})
    cookie = w.login("eve", "correct horse")
    w.stop()
    w.start()
    w.want(401, "GET", V1 + "/session", cookie=cookie)
    w.login("eve", "correct horse")


with World() as w:
    tokens = make_tokens(w)
    whole_and_part(w, tokens)
    part = streams(w, tokens)
    served = every_route(w, tokens)
    if w.contract:
        promised = {(method, re.sub(r"/{\w+}", "", path)) for method, path in w.contract.operations}
        check(served == promised, f"not in the table, or not served: {served ^ promised}")
    revocation(w, tokens, part)
    users(w)
    second_person(w)
    command_line(w)
    audit(w)
    restart(w)
    audit_pages(w)
print("accounts: all as it should be")
