# SPDX-License-Identifier: Apache-2.0
"""Alerts out and exports, by an aggregator as shipped: receivers that are down, then up, through a kill -9, get
each alert once; what is exported is what the schemas in tests/data/export have."""
import json
import os
import pathlib
import re
import signal
import subprocess
import time

from schema import faults
from sinks import Hook, Smtp, Tcp, Tls, Udp
from world import PATIENCE_S, World, check, eventually, numbers, raise_alerts

V1 = "/api/v1"
DATA = pathlib.Path(__file__).parents[1] / "data"
PEM = DATA / "notify/localhost.pem"
HOUR_S, FAST = 3600, 300
COMMUNITY = re.compile(r"1:[A-Za-z0-9+/]{27}=")


def receivers(w):
    return {r["name"]: r for r in w.want(200, "GET", V1 + "/notify")["receivers"]}


def down_then_up(w, sinks):
    """Down: a while, a kill -9, an hour, another, a while; up: each alert once."""
    for sink in sinks.values():
        if not isinstance(sink, Hook):
            check(not sink.got, "nothing came yet")
    raise_alerts(w, 1, 6)
    eventually(lambda: receivers(w), lambda: all(r["failures"] > 0 and r["queued"] == 6 and r["error"]
                                                 for r in receivers(w).values()))
    found = [json.loads(line) for line in w.cli("--json", "doctor").stdout.splitlines()]
    ill = {f["about"] for f in found if "does not take alerts" in f["found"] and f["advice"]}
    check(ill == {f"receiver {name}" for name in sinks}, f"the doctor knows: {found}")
    before = receivers(w)
    for clock in (f"{FAST}", f"1@{HOUR_S + 60}"):
        w.process.send_signal(signal.SIGKILL)
        w.process.wait()
        w.process = None
        began = time.monotonic()
        w.start(clock)
        if clock == f"{FAST}":  # an hour passes, too fast for questions
            eventually("an hour passed", lambda: time.monotonic() > began + HOUR_S / FAST)
    eventually(lambda: receivers(w), lambda: all(r["failures"] > before[name]["failures"] and r["queued"] == 6
                                                 for name, r in receivers(w).items()))
    raise_alerts(w, 7, 5)
    eventually(lambda: receivers(w), lambda: all(r["queued"] == 11 for r in receivers(w).values()))
    for sink in sinks.values():
        sink.start()
    for name in sinks:
        check(w.want(200, "POST", f"{V1}/notify/{name}/retry")["messages"] <= 1, "one message was under way")
    eventually(lambda: receivers(w), lambda: all(r["queued"] == 0 for r in receivers(w).values()))
    texts = {
        "hook": [a["text"] for m in sinks["hook"].got for a in m["alerts"]],
        "udp": sinks["udp"].got,
        "tcp": [json.loads(line[line.index("{"):])["message"] for line in sinks["tcp"].got],
        "tls": sinks["tls"].got,
        "mail": [text for _, _, text in sinks["mail"].got],
    }
    for name, got in texts.items():
        check(sorted(numbers(got)) == list(range(1, 12)), f"{name} got {numbers(got)}")
        check(not sinks[name].faults, f"{name}: {sinks[name].faults}")
        r = receivers(w)[name]
        check(r["alerts"] == 11 and r["more"] == 0 and r["dead"] == 0 and r["error"] is None, f"{name}: {r}")


def contents(sinks):
    for m in sinks["hook"].got:
        for a in m["alerts"]:
            mining = a["miner"] == 1
            check(a["technique"] == ("T1496" if mining else None), f"the technique of {a}")
            check(not mining or COMMUNITY.fullmatch(a["connection"]["community_id"]), f"the Community ID of {a}")
    failed = [i for i, status in sinks["hook"].ids if status != 200]
    check(len(failed) == 2 and sinks["hook"].ids[2] == (failed[0], 200), f"a retry has its name: {sinks['hook'].ids}")
    for name in ("udp", "tcp", "tls"):
        for line in sinks[name].got:
            head = re.match(r"<3[46]>1 \d{4}-\d\d-\d\dT[\d:.]+Z \S+ davylamp-aggregator - [a-z-]+ - (CEF:0\||{)", line)
            check(head and not re.search(r"[\x00-\x1f\x7f]", line), f"{name}: {line!r}")
            check(("T1496" in line) == ("miner-confirmed" in line), f"{name}: {line!r}")
            check(("T1496" in line) == bool(COMMUNITY.search(line)), f"{name}: {line!r}")
    for to, mail, text in sinks["mail"].got:
        check(to == ["ops@a.example", "soc@a.example"] and mail["To"].split() == ["ops@a.example,", "soc@a.example"],
              f"to {to} {mail['To']}")
        check(set(mail.keys()) == {"Date", "From", "To", "Subject", "Message-ID", "Auto-Submitted", "MIME-Version",
                                   "Content-Type", "Content-Transfer-Encoding"}, f"headers {mail.keys()}")
        check(mail["Subject"].startswith("[davylamp] critical: ") and "evil" not in str(mail["Subject"]), mail["Subject"])
        check("T1496" in text and COMMUNITY.search(text), text)


def refused_and_redirected(w, sinks):
    """What a receiver never takes is kept, listed, and told once it is tried again; redirects are not followed."""
    hook = sinks["hook"]
    before = len(hook.got)
    hook.answers = [302, 422]
    raise_alerts(w, 12, 1)
    dead = eventually(lambda: receivers(w)["hook"], lambda: (r := receivers(w)["hook"])["dead"] and r)
    check(dead["dead_letters"][0]["error"] == "HTTP status 422" and dead["dead_letters"][0]["alerts"] == 1, f"{dead}")
    check(len(hook.got) == before and len({i for i, _ in hook.ids[-2:]}) == 1, "the redirect was an end")
    cli = w.cli("notify", "retry", "hook")
    check(cli.returncode == 0 and "1 message" in cli.stdout, cli.stdout + cli.stderr)
    eventually("the dead letter is told", lambda: len(hook.got) == before + 1)
    eventually("and gone", lambda: receivers(w)["hook"]["dead"] == 0)
    check(numbers(a["text"] for a in hook.got[-1]["alerts"]) == [12], f"{hook.got[-1]}")
    table = w.cli("notify")
    check(table.returncode == 0 and all(name in table.stdout for name in sinks), table.stdout + table.stderr)
    check("/secret-path" not in json.dumps(receivers(w)), "the path of a webhook is a secret")


def tests_sent(w, sinks):
    for name in sinks:
        n = len(sinks[name].got)
        cli = w.cli("notify", "test", name)
        check(cli.returncode == 0 and "took" in cli.stdout, f"{name}: {cli.stdout}{cli.stderr}")
        eventually(f"{name} has the test", lambda: len(sinks[name].got) > n)
    sinks["hook"].answers = [500]
    cli = w.cli("notify", "test", "hook")
    check(cli.returncode == 1 and "HTTP status 500" in cli.stderr, cli.stdout + cli.stderr)
    w.want(404, "POST", V1 + "/notify/nobody/test")
    audit = json.dumps(w.want(200, "GET", V1 + "/audit"))
    check("notify.test" in audit and "notify.retry" in audit, audit[:500])


def a_storm(w, sinks):
    """10,000 at once: few messages, and the rest as a number; none is lost from the list."""
    n, before = 10000, {name: len(sinks[name].got) for name in ("hook", "mail")}
    raise_alerts(w, 1000, n)
    for name, alerts in (("hook", lambda m: (len(m["alerts"]), m["more"])),
                         ("mail", lambda m: (len(numbers([m[2]])), sum(map(int, re.findall(r"and (\d+) more", m[2])))))):
        def told():
            return [alerts(m) for m in sinks[name].got[before[name]:] if not isinstance(m, dict) or not m["test"]]
        eventually(lambda: f"{name}: {told()}", lambda: sum(a + b for a, b in told()) == n)
        check(len(told()) <= 40, f"{name}: {told()}")  # of some intervals: a busy machine takes longer
    listed, after = 0, ""
    while after is not None:
        page = w.want(200, "GET", f"{V1}/alerts?limit=1000{after}")
        listed += sum(1 for a in page["alerts"] if a["subject"].startswith("subject "))
        after = page["next"] and f"&after={page['next']}"
    check(listed >= n, f"all are in the list: {listed}")


def exports(w):
    w.want(201, "POST", V1 + "/blocks", {"kind": "domain", "target": "pool.example"})
    w.want(201, "POST", V1 + "/blocks", {"target": "203.0.113.50", "port": 4444})
    for path, schema in (("stix", "stix"), ("misp?format=event", "misp")):
        a = w.call("GET", f"{V1}/export/{path}")
        bad = faults(json.loads((DATA / f"export/{schema}.schema.json").read_text()), a.json)
        check(a.status == 200 and not bad, f"{path}: {bad}")
        check("10.1.0.23" not in a.text and "10.2.0.42" not in a.text, "an inside address is exported")
    stix = json.loads(w.cli("export", "stix").stdout)
    ids = {o["id"]: o for o in stix["objects"]}
    check(len(ids) == len(stix["objects"]), "an id is there twice")
    patterns = {o["pattern"] for o in ids.values() if o["type"] == "indicator"}
    check({"[domain-name:value = 'pool.example']", "[ipv4-addr:value = '198.51.100.9']",
           "[network-traffic:dst_ref.type = 'ipv4-addr' AND network-traffic:dst_ref.value = '203.0.113.7'"
           " AND network-traffic:dst_port = 3333]"} <= patterns, f"{patterns}")
    for o in ids.values():
        for key in ("created_by_ref", "source_ref", "target_ref"):
            check(key not in o or o[key] in ids, f"{key} of {o} leads nowhere")
    again = {o["id"] for o in json.loads(w.cli("export", "stix").stdout)["objects"]}
    check(again == set(ids), "the same things have other ids")
    lines = w.cli("export", "misp").stdout.split()
    check({"203.0.113.7:3333", "203.0.113.77:3333", "198.51.100.9", "pool.example", "203.0.113.50:4444"} <= set(lines), f"{lines}")
    check(len(json.loads(w.cli("export", "misp", "event").stdout)["Event"]["Attribute"]) == len(lines), "an event of as many")
    w.want(400, "GET", V1 + "/export/misp?format=csv")


def decisions(w):
    """As a bouncer asks: everything at its start, then what changes."""
    token = w.want(201, "POST", V1 + "/tokens", {"name": "bouncer", "role": "viewer"})["token"]

    def pull(query):
        a = w.call("GET", V1 + "/decisions/stream" + query, token="", headers={"X-Api-Key": token})
        check(a.status == 200, a.text)
        return ({d["value"]: d for d in a.json["new"]}, {d["value"]: d for d in a.json["deleted"]})

    check(w.call("GET", V1 + "/decisions/stream", token="", headers={"X-Api-Key": "no"}).status == 401, "a wrong key")
    new, _ = pull("?startup=true&scopes=ip,range")
    check({"203.0.113.7", "203.0.113.77", "198.51.100.9"} <= set(new), f"{new}")
    check("203.0.113.50" not in new, "a block of one port is no decision about the address")
    d = new["198.51.100.9"]
    check((d["type"], d["scope"], d["origin"]) == ("ban", "Ip", "davylamp") and re.fullmatch(r"\d+s", d["duration"]), f"{d}")
    b = w.want(201, "POST", V1 + "/blocks", {"target": "203.0.113.128/25"})
    new, gone = pull("?startup=false")
    check(new["203.0.113.128/25"]["scope"] == "Range" and not gone, f"{new} {gone}")
    twice = w.want(201, "POST", V1 + "/blocks", {"target": "198.51.100.9", "site": "berlin"})
    for x in (b, twice):
        w.want(204, "DELETE", f"{V1}/blocks/{x['id']}")
    new, gone = pull("")
    check("203.0.113.128/25" in gone and gone["203.0.113.128/25"]["duration"].startswith("-"), f"{gone}")
    check("198.51.100.9" not in gone, "another block still holds it")


def bad_configuration(w):
    """Both a start and --check-config say what is wrong with a receiver, where, and what to do."""
    junk = w.folder / "junk.pem"
    junk.write_text("no certificate\n")
    text = (w.folder / "conf").read_text()
    for line, want in (("soc https://a.example/ secret=/nowhere", "secret=/nowhere: .*; make it"),
                       ("soc https://a.example:99999/", '"https://a.example:99999/": .*ort number'),
                       ("soc gopher://a.example/", "begins with none of http://"),
                       (f"soc tls://a.example ca={junk}", f"ca={junk}: no certificate in it"),
                       ("soc tls://a.example format=leef", "one of cef, ecs")):
        (w.folder / "bad").write_text(re.sub(r"notify:.*", f'notify: {{ receivers = ["{line}"]; }};', text, flags=re.S))
        for option in ([], ["--check-config"]):
            r = subprocess.run([w.bin / "davylamp-aggregator", "-c", w.folder / "bad", *option], capture_output=True,
                               text=True, check=False, timeout=PATIENCE_S)
            check(r.returncode == 2 and re.search("notify.receivers: .*soc.*" + want, r.stderr),
                  f"{line} {option}: {r.returncode} {r.stderr}")
    r = subprocess.run([w.bin / "davylamp-aggregator", "-c", w.folder / "conf", "--check-config"], capture_output=True,
                       text=True, check=False, timeout=PATIENCE_S)
    check(r.returncode == 0, r.stdout + r.stderr)


def main():
    secret = "a secret of the test"
    sinks = {"hook": Hook(secret, [500, 503]), "udp": Udp(), "tcp": Tcp(), "tls": Tls(PEM), "mail": Smtp()}
    port = {name: sink.port for name, sink in sinks.items()}
    key = pathlib.Path(os.environ.get("TMPDIR", "/tmp")) / f"lamp-notify-{os.getpid()}"
    key.write_text(secret + "\n")
    lines = [f"hook http://127.0.0.1:{port['hook']}/secret-path secret={key} rate=10 interval=3",
             f"udp udp://127.0.0.1:{port['udp']}",
             f"tcp tcp://localhost:{port['tcp']} format=ecs",
             f"tls tls://127.0.0.1:{port['tls']} ca={PEM}",
             f"mail smtp://127.0.0.1:{port['mail']} from=lamp@a.example to=ops@a.example to=soc@a.example interval=1"]
    quoted = ",\n".join(f'"{line}"' for line in lines)
    try:
        with World(f"alerts: {{ silent = 86400; }};\nnotify: {{ receivers = [{quoted}]; }};\n") as w:
            down_then_up(w, sinks)
            contents(sinks)
            refused_and_redirected(w, sinks)
            tests_sent(w, sinks)
            a_storm(w, sinks)
            exports(w)
            decisions(w)
            bad_configuration(w)
    finally:
        key.unlink()


main()
