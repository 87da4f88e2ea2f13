# SPDX-License-Identifier: Apache-2.0
"""The aggregator as shipped against the software of the trade, in a network namespace with no way out: a pool
(stratum-pool-sha256 over a node that is made up), a node of Monero, servers and a name server that mean no good;
rsyslog as receiver of alerts; crowdsec-firewall-bouncer, which takes the blocks.

Environment: as for world.py, and LAMP_PEERS, the folder that keeps what was fetched."""
import concurrent.futures
import os
import pathlib
import re
import shutil
import socket
import struct
import subprocess
import sys
import threading

import fetch
from world import World, check, eventually, numbers, raise_alerts

HERE = pathlib.Path(__file__).parent
PEM = HERE.parent / "data/notify/localhost.pem"
# Public addresses, which the prober takes; they are nowhere but on the namespace's own loopback.
POOL, OTHER = "5.5.5.5", "5.5.5.6"
STRATUM, RPC, HOSTILE_PORT, SYSLOG, SYSLOG_TLS, OUR_NAMES = 3333, 18081, 4000, 5514, 6514, 53


class Peers:
    """Programs that end with the test."""

    def __init__(self, folder):
        self.folder, self.running = folder, []

    def start(self, name, *command, env=None):
        with open(self.folder / f"{name}.log", "wb") as log:
            self.running.append(subprocess.Popen(command, stdout=log, stderr=log, env=env, cwd=self.folder))

    def said(self, name):
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def stop(self):
        for p in self.running:
            p.kill()
            p.wait()


def listens(address, port):
    with socket.socket() as s:
        return s.connect_ex((address, port)) == 0


def together(*parts):
    """Runs them at once: they mostly wait. The first that fails fails the test."""
    with concurrent.futures.ThreadPoolExecutor(len(parts)) as pool:
        for done in [pool.submit(part) for part in parts]:
            done.result()


# ---- a name server that changes its mind ----

def rebinding():
    """What each question for a name is answered, one after the other; the last answer stays."""
    return {
        "pool.rebind.example": [[OTHER], ["127.0.0.1"], ["169.254.169.254"], ["10.0.0.1"]],
        "mixed.rebind.example": [["192.168.1.1", OTHER, "100.64.0.1"]],
        "mapped.rebind.example": [["::ffff:127.0.0.1"], ["64:ff9b::7f00:1"]],
        "six.rebind.example": [["::1"]],
    }


def serve_names(answers, asked):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("127.0.0.1", OUR_NAMES))
    while True:
        question, who = s.recvfrom(512)
        labels, at = [], 12
        while question[at]:
            labels.append(question[at + 1:at + 1 + question[at]].decode())
            at += 1 + question[at]
        kind, = struct.unpack(">H", question[at + 1:at + 3])
        name = ".".join(labels)
        asked.append(name)
        said = answers.get(name)
        records = b""
        n = 0
        for address in said[0] if said else []:
            six = ":" in address
            if kind == (28 if six else 1):
                data = socket.inet_pton(socket.AF_INET6 if six else socket.AF_INET, address)
                records += struct.pack(">3HIH", 0xC00C, kind, 1, 0, len(data)) + data
                n += 1
        if said and kind == 28 and len(said) > 1:  # A and AAAA are one question
            said.pop(0)
        s.sendto(question[:2] + struct.pack(">5H", 0x8180 if said else 0x8183, 1, n, 0, 0) + question[12:at + 5] + records, who)


# ---- servers that mean no good ----

class Hostile:
    """Listens on every address; notes what came at which."""

    def __init__(self):
        self.sent, self.touched = {}, []
        for i, manner in enumerate((self.a_gigabyte, self.endless_line, self.redirect, self.wrong_ids, self.reconnect)):
            threading.Thread(target=self.listen, args=(HOSTILE_PORT + i, manner), daemon=True).start()

    def listen(self, port, manner):
        with socket.create_server(("", port), backlog=16) as listener:
            while True:
                c, _ = listener.accept()
                self.touched.append((c.getsockname()[0], port))
                threading.Thread(target=self.guard, args=(c, port, manner), daemon=True).start()

    def guard(self, c, port, manner):
        self.sent.setdefault(port, 0)
        try:
            manner(c, port)
        except OSError:
            pass  # it was hung up on
        finally:
            c.close()

    def send(self, c, port, data):
        self.sent[port] += c.send(data)

    def a_gigabyte(self, c, port):
        c.recv(4096)
        self.send(c, port, b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n")
        while True:
            self.send(c, port, b"{" * 65536)

    def endless_line(self, c, port):
        while True:
            self.send(c, port, b"A" * 65536)

    def redirect(self, c, port):
        c.recv(4096)
        self.send(c, port, f"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:{HOSTILE_PORT}/\r\n\r\n".encode())

    def wrong_ids(self, c, port):
        c.recv(4096)
        self.send(c, port, b'{"id":77,"result":[[["mining.notify","1"]],"00",4],"error":null}\n')

    def reconnect(self, c, port):
        c.recv(4096)
        self.send(c, port, b'{"id":null,"method":"client.reconnect","params":["127.0.0.1",4000,0]}\n')


# ---- probing ----

def probe(w, what):
    r = w.cli("probe", what)
    return r.stdout + r.stderr


def probes_in_parallel(w, wanted):
    """wanted: what is probed, and the pattern of what comes of it."""
    def one(what, pattern):
        said = probe(w, what)
        check(re.search(pattern, said), f"probe {what}: {said!r}, not {pattern!r}")

    together(*(lambda what=what, pattern=pattern: one(what, pattern) for what, pattern in wanted.items()))


def real_pools(w, peers):
    eventually(lambda: peers.said("pool"), lambda: listens(POOL, STRATUM))
    eventually(lambda: peers.said("monerod"), lambda: listens(POOL, RPC))
    added = w.cli("pools", "add", "Node", POOL, f"port={RPC}", "protocol=getblocktemplate-cryptonote")
    check(added.returncode == 0, added.stderr)
    probes_in_parallel(w, {f"{POOL}:{STRATUM}": r"up, .*answered"})
    found = w.want(200, "GET", f"/api/v1/lookup?q={POOL}:{STRATUM}")
    check("up" in str(found) and "stratum-v1" in str(found), f"the pool looked up: {found}")
    pool = w.want(200, "GET", "/api/v1/pools?q=Node")["pools"][0]["id"]
    refreshed = w.cli("probe", str(pool))
    check(refreshed.returncode == 0, refreshed.stderr)
    eventually("a round of the catalogue finds the node", lambda: all(word in w.call(
        "GET", f"/api/v1/lookup?q={POOL}:{RPC}").text for word in ('"state":"up"', '"family":"getblocktemplate-cryptonote"')))


def hostile_servers(w, hostile):
    p = HOSTILE_PORT
    probes_in_parallel(w, {
        f"{POOL}:{p}": "listen, ",
        f"{POOL}:{p + 1}": "listen, it answers, but not as a pool .*more than a pool would send",
        f"{POOL}:{p + 2}": "listen, a web server that redirects .302., which is not followed",
        f"{POOL}:{p + 3}": "listen, it speaks JSON",
        f"{POOL}:{p + 4}": "up, it sent client.reconnect",  # a server of Stratum; nobody goes where it says
    })
    for port in (p, p + 1):
        # What it takes, and what the system keeps for both ends, in three connections.
        check(hostile.sent[port] < 32 << 20, f"port {port} got rid of {hostile.sent[port]} bytes")
    check({a for a, _ in hostile.touched} <= {POOL, OTHER}, f"nobody else was asked: {hostile.touched}")
    for port in range(p, p + 5):
        check(0 < hostile.touched.count((POOL, port)) <= 3, f"one short conversation: {hostile.touched}")


def rebound(w, hostile):
    name = "pool.rebind.example"
    eventually("the pool serves", lambda: listens(OTHER, STRATUM))
    check("up, " in probe(w, f"{name}:{STRATUM}"), "the name leads to the pool at first")
    for kind in ("loopback", "link-local|metadata", "private"):
        said = probe(w, f"{name}:{HOSTILE_PORT}")
        check(re.search(kind, said), f"then to where nobody is probed ({kind}): {said!r}")
    for name in ("mapped.rebind.example", "mapped.rebind.example", "six.rebind.example"):
        said = probe(w, f"{name}:{HOSTILE_PORT}")
        check("port" not in said and said, f"{name}: {said!r}")
    said = probe(w, f"mixed.rebind.example:{HOSTILE_PORT + 3}")
    check(f"{OTHER} port" in said and "192.168" not in said and "100.64" not in said, f"the public one of several: {said!r}")
    asked = {t for t in hostile.touched if t[0] != POOL}
    check(asked == {(OTHER, HOSTILE_PORT + 3)}, f"asked: {asked}")


# ---- receivers of the trade ----

def start_rsyslog(peers, root, name, port, tls):
    modules = next(root.glob("usr/lib/*/rsyslog"))
    lines = [f'global(workDirectory="{peers.folder}" maxMessageSize="64k")',
             'template(name="raw" type="string" string="%rawmsg%\\n")']
    if tls:
        key = f'defaultNetstreamDriverKeyFile="{PEM}" defaultNetstreamDriverCertFile="{PEM}" defaultNetstreamDriverCAFile="{PEM}"'
        lines += [f'global(defaultNetstreamDriver="gtls" {key})',
                  'module(load="imtcp" streamDriver.name="gtls" streamDriver.mode="1" streamDriver.authMode="anon")']
    else:
        lines += ['module(load="imudp")', 'module(load="imtcp")', f'input(type="imudp" address="127.0.0.1" port="{port}")']
    lines += [f'input(type="imtcp" address="127.0.0.1" port="{port}")',
              *(f'if $inputname == "{i}" then action(type="omfile" file="{peers.folder}/{name}.{i}" template="raw")'
                for i in ("imudp", "imtcp"))]
    conf = peers.folder / f"{name}.conf"
    conf.write_text("\n".join(lines) + "\n")
    peers.start(name, root / "usr/sbin/rsyslogd", "-n", "-M", modules, "-f", conf, "-i", peers.folder / f"{name}.pid",
                env=fetch.environment(root))
    eventually(lambda: peers.said(name), lambda: listens("127.0.0.1", port))


def syslog_receivers(w, peers, root):
    """Down while alerts come, then up: each alert once, as the daemon read it."""
    raise_alerts(w, 1, 9)
    eventually("the receivers that can tell are found down", lambda: all(
        r["failures"] for r in w.want(200, "GET", "/api/v1/notify")["receivers"] if r["name"] != "udp"))
    start_rsyslog(peers, root, "rsyslog", SYSLOG, False)
    start_rsyslog(peers, root, "rsyslog-tls", SYSLOG_TLS, True)
    for name in ("udp", "tcp", "tls"):
        w.want(200, "POST", f"/api/v1/notify/{name}/retry")

    def got(path):
        try:
            return (peers.folder / path).read_text(errors="replace")
        except FileNotFoundError:
            return ""

    for path, wanted in (("rsyslog.imudp", set(range(21, 30))), ("rsyslog.imtcp", set(range(1, 10))),
                         ("rsyslog-tls.imtcp", set(range(1, 10)))):
        if path == "rsyslog.imudp":  # a datagram to nobody is gone: what comes from now on is told
            raise_alerts(w, 21, 9)
            wanted = set(range(21, 30))
        eventually(lambda p=path: f"{p}: {got(p)}", lambda p=path, n=wanted: n <= set(numbers([got(p)])))
        lines = got(path).splitlines()
        check(len(set(numbers(lines))) == len(numbers(lines)), f"{path}: an alert came twice")
        check(all(re.match(r"<3[0-7]>1 \d{4}-\d\d-\d\dT[\d:.]+Z \S+ davylamp-aggregator - ", line) for line in lines), f"{path}: {lines[:2]}")


def bouncer(w, peers, root):
    token = w.want(201, "POST", "/api/v1/tokens", {"name": "bouncer", "role": "viewer"})["token"]
    conf = peers.folder / "bouncer.yaml"
    conf.write_text((root / "etc/crowdsec/bouncers/crowdsec-firewall-bouncer.yaml").read_text()
                    .replace("${BACKEND}", "nftables").replace("${API_KEY}", token).replace("update_frequency: 10s", "update_frequency: 1s")
                    .replace("daemonize: true", "daemonize: false").replace("log_mode: file", "log_mode: stdout")
                    .replace("http://127.0.0.1:8080/", f"http://127.0.0.1:{w.port}/api/").replace("/var/run/", f"{peers.folder}/"))
    peers.start("bouncer", root / "usr/bin/crowdsec-firewall-bouncer", "-c", conf)

    def in_kernel(address):
        r = subprocess.run(["nft", "list", "ruleset"], capture_output=True, text=True, check=False)
        return address in r.stdout

    eventually(lambda: peers.said("bouncer"), lambda: in_kernel("198.51.100.9"))
    b = w.want(201, "POST", "/api/v1/blocks", {"target": "203.0.113.99"})
    eventually(lambda: peers.said("bouncer"), lambda: in_kernel("203.0.113.99"))
    w.want(204, "DELETE", f"/api/v1/blocks/{b['id']}")
    eventually(lambda: peers.said("bouncer"), lambda: not in_kernel("203.0.113.99"))


def main():
    peers_folder = pathlib.Path(os.environ["LAMP_PEERS"])
    if sys.argv[1:] != ["inside"]:
        if os.geteuid() != 0:
            fetch.skip("network namespaces need root")
        for tool in ("unshare", "ip", "nft", "node", "npm", "apt-get"):
            if not shutil.which(tool):
                fetch.skip(f"{tool} is not installed")
        if subprocess.run(["unshare", "-n", "true"], check=False).returncode:
            fetch.skip("the kernel lets us make no network namespaces")
    monero = fetch.debian(peers_folder, "monero")
    rsyslog = fetch.debian(peers_folder, "rsyslog", "rsyslog-gnutls")
    crowdsec = fetch.debian(peers_folder, "crowdsec-firewall-bouncer")
    pool = fetch.npm(peers_folder, "stratum-pool-sha256@2.1.3")
    if sys.argv[1:] != ["inside"]:
        os.execvp("unshare", ["unshare", "-n", sys.executable, "-B", __file__, "inside"])
    for command in ("link set lo up", f"addr add {POOL}/32 dev lo", f"addr add {OTHER}/32 dev lo"):
        subprocess.run(["ip", *command.split()], check=True)
    threading.Thread(target=serve_names, args=(rebinding(), []), daemon=True).start()
    hostile = Hostile()
    with World(f"""pools: {{ probe = true; rate = 100; }};
notify: {{ receivers = [ "udp udp://127.0.0.1:{SYSLOG}", "tcp tcp://127.0.0.1:{SYSLOG} format=ecs", "tls tls://127.0.0.1:{SYSLOG_TLS} ca={PEM}" ]; }};
""", names=f"127.0.0.1:{OUR_NAMES}") as w:
        peers = Peers(w.folder)
        try:
            peers.start("pool", "node", HERE.parent / "support/peers/sha256pool.mjs", pool, str(STRATUM))
            peers.start("monerod", monero / "usr/bin/monerod", "--regtest", "--offline", "--fixed-difficulty", "1", "--non-interactive",
                        "--data-dir", w.folder / "monero", "--rpc-bind-ip", POOL, "--confirm-external-bind", "--no-zmq", "--no-igd",
                        "--rpc-bind-port", str(RPC), env=fetch.environment(monero))
            together(lambda: bouncer(w, peers, crowdsec), lambda: syslog_receivers(w, peers, rsyslog), lambda: real_pools(w, peers),
                     lambda: hostile_servers(w, hostile), lambda: rebound(w, hostile))
        finally:
            peers.stop()


main()
