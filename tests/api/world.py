# SPDX-License-Identifier: Apache-2.0
"""An aggregator as shipped over a database that `fill` made, and calls to it; for the tests beside.

Environment: LAMP_BIN (folder of davylamp-aggregator and davylamp), LAMP_FILL (program)."""
import http.client
import json
import os
import pathlib
import re
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time

try:
    from openapi import Contract
except ImportError:  # without Debian's python3-yaml and python3-jsonschema; `contract` says so
    Contract = None

PATIENCE_S = 60
HOSTILE = ["x\r\nBcc: evil@a.example\r\n", "CEF:0|a|b|c=d\\", "<script>alert(1)</script>", "\x1b[2J", "\n.\nQUIT\n", "\u202eevil",
           "10 <34>1 - - - - - -"]


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def text(self):
        return self.body.decode("utf-8", "replace")


class World:
    """`config`: lines to add to the configuration; `names`: the name servers to ask."""

    def __init__(self, config="", names=""):
        self.bin = pathlib.Path(os.environ["LAMP_BIN"])
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="lamp-api-"))
        self.port, self.process, self.calls = free_port(), None, 0
        self.contract, self.good = Contract and Contract(), {}  # good: what GET answered, by path
        subprocess.run([os.environ["LAMP_FILL"], self.folder / "davylamp.db"], check=True)
        (self.folder / "conf").write_text(
            f'state_dir = "{self.folder}";\nlisten: {{ sensors = "tcp://127.0.0.1:{free_port()}"; enroll = "off";'
            f' http = "127.0.0.1:{self.port}"; }};\nsensors = "{self.folder}/sensors";\nweb = "{self.folder}/web";\n'
            f'names: {{ reverse = false; servers = "{names}"; }};\n' + config)

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self, clock="1"):
        """clock: RATE[@OFFSET_S], as common/clock.h has it."""
        starts = self.said().count("running version")
        self.log = open(self.folder / "log", "ab")
        self.process = subprocess.Popen(
            [self.bin / "davylamp-aggregator", "-c", self.folder / "conf"], stdout=self.log, stderr=self.log,
            env=os.environ | {"LAMP_CLOCK": clock})
        until = time.monotonic() + PATIENCE_S
        while self.said().count("running version") == starts:
            if self.process.poll() is not None or time.monotonic() > until:
                sys.exit("the aggregator does not start:\n" + self.said())
            time.sleep(0.02)
        self.token = (self.folder / "token").read_text().strip()

    def stop(self):
        """Ends the aggregator; its sanitizers' word is final."""
        if self.process is None:
            return
        self.process.terminate()
        code = self.process.wait(PATIENCE_S)
        said = self.said()
        self.process = None
        self.log.close()
        if code or "Sanitizer" in said or "runtime error" in said:
            sys.exit(f"the aggregator ended with {code}:\n{said}")

    def said(self):
        path = self.folder / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    def first_password(self):
        return re.search(r"its password is (\S+)", self.said()).group(1)

    def connect(self):
        """Each from another address of loopback, since failures are counted by address."""
        self.calls = (self.calls + 1) % 60000
        here = f"127.1.{self.calls // 250}.{self.calls % 250 + 1}"
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S, source_address=(here, 0))

    def call(self, method, path, body=None, token=None, headers=None, cookie=None):
        """token: None is the command line's, "" nobody's. What comes is held against openapi.yaml."""
        send = {"Content-Type": "application/json"} if method not in ("GET", "HEAD") else {}
        if cookie:
            send["Cookie"] = cookie
        elif token != "":
            send["Authorization"] = "Bearer " + (token or self.token)
        send.update(headers or {})
        data = None if body is None else body if isinstance(body, (bytes, str)) else json.dumps(body)
        c = self.connect()
        c.request(method, path, data, send)
        r = c.getresponse()
        answer = Answer(r.status, r.headers, r.read() if path != "/api/v1/events" or r.status != 200 else b"")
        c.close()
        if self.contract:
            faults = self.contract.faults(method, path, answer.status, answer.headers, answer.body)
            check(not faults, f"{method} {path}: {answer.status} is not as openapi.yaml has it: {faults[:5]}")
        if method == "GET" and answer.status == 200:
            self.good[path] = answer
        return answer

    def want(self, status, method, path, body=None, **kw):
        a = self.call(method, path, body, **kw)
        check(a.status == status, f"{method} {path} {body}: {a.status} instead of {status}: {a.text[:300]}")
        return a.json if a.body and "json" in a.headers.get("Content-Type", "") else a

    def login(self, user, password):
        answer = self.call("POST", "/api/v1/session", {"user": user, "password": password}, token="")
        check(answer.status == 200, f"login of {user}: {answer.status} {answer.text}")
        return answer.headers["Set-Cookie"].split(";")[0]

    def cli(self, *arguments, token_file=None):
        return subprocess.run(
            [self.bin / "davylamp", "--url", f"http://127.0.0.1:{self.port}", "--token-file",
             token_file or self.folder / "token", *arguments], capture_output=True, text=True, check=False)


def check(ok, what):
    if not ok:
        raise AssertionError(what)


def eventually(what, condition):
    until = time.monotonic() + PATIENCE_S
    while not (got := condition()):
        check(time.monotonic() < until, f"not within {PATIENCE_S} s: {what() if callable(what) else what}")
        time.sleep(0.05)
    return got


def raise_alerts(w, first, n):
    """Puts alerts into the database, as the writer does; every other one is about miner 1."""
    now = time.time_ns() // 1000
    with sqlite3.connect(w.folder / "davylamp.db", timeout=PATIENCE_S) as db:
        for i in range(first, first + n):
            hostile = HOSTILE[i % len(HOSTILE)]
            db.execute("INSERT INTO alert (kind, subject, site, text, miner, count, first_us, raised_us, last_us)"
                       " VALUES (?, ?, 'berlin', ?, ?, 1, ?, ?, ?)",
                       (1 if i % 2 else 2, f"subject {i} {hostile}", f"alert <{i}> {hostile}", i % 2, now, now, now))
    db.close()


def numbers(texts):
    """Of the alerts in what a receiver got, in order of arrival."""
    return [int(n) for text in texts for n in re.findall(r"alert <(\d+)>", text)]
