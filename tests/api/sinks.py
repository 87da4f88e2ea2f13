# SPDX-License-Identifier: Apache-2.0
"""Receivers of alerts for tests, on loopback: a webhook, syslog servers, an SMTP server. Each is a thread that
keeps what came in `got`; a port that is reserved and not started refuses, as a server that is down does."""
import email
import hashlib
import hmac
import http.server
import json
import re
import socket
import ssl
import threading


class Sink:
    """`start` listens on the port that was reserved before, `stop` ends that."""
    kind = socket.SOCK_STREAM

    def __init__(self):
        self.got, self.faults, self.socket = [], [], None
        self.lock = threading.Lock()
        with socket.socket(socket.AF_INET, self.kind) as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]

    def start(self):
        self.socket = socket.socket(socket.AF_INET, self.kind)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(("127.0.0.1", self.port))
        if self.kind == socket.SOCK_STREAM:
            self.socket.listen(20)
        threading.Thread(target=self.run, args=(self.socket,), daemon=True).start()

    def run(self, listener):
        while True:
            c, _ = listener.accept()
            threading.Thread(target=self.guard, args=(c,), daemon=True).start()

    def guard(self, c):
        try:
            self.serve(c)
        except Exception as e:  # told by the test, not by a thread nobody looks at
            self.faults.append(repr(e))
        finally:
            c.close()

    def keep(self, what):
        with self.lock:
            self.got.append(what)


class Udp(Sink):
    kind = socket.SOCK_DGRAM

    def run(self, s):
        while True:
            self.keep(s.recv(65536).decode())


class Tcp(Sink):
    """Octet counting, RFC 6587 section 3.4.1."""

    def serve(self, c):
        f = c.makefile("rb")
        while head := f.read(1):
            while head[-1:] != b" ":
                head += f.read(1)
            text = f.read(int(head))
            assert len(text) == int(head), "a frame is cut"
            self.keep(text.decode())


class Tls(Tcp):
    def __init__(self, pem):
        super().__init__()
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(pem)

    def serve(self, c):
        with self.context.wrap_socket(c, server_side=True) as t:
            super().serve(t)


class Smtp(Sink):
    """RFC 5321, as far as it goes without extensions."""

    def serve(self, c):
        f = c.makefile("rwb")

        def say(line):
            f.write(line.encode() + b"\r\n")
            f.flush()

        say("220 sink")
        to = []
        while line := f.readline().decode().rstrip("\r\n"):
            verb = line.split(" ")[0].split(":")[0].upper()
            if verb == "DATA":
                say("354 go on")
                lines = []
                while (text := f.readline()) != b".\r\n":
                    lines.append(text[1:] if text.startswith(b"..") else text)
                mail = email.message_from_bytes(b"".join(lines))
                self.keep((to, mail, mail.get_payload(decode=True).decode()))
                to = []
                say("250 kept")
            elif verb == "QUIT":
                say("221 bye")
                return
            elif verb == "EHLO":
                say("250 sink")
            else:
                to += re.findall("<(.*)>", line) if verb == "RCPT" else []
                say("250 well")


class Hook(Sink):
    """`answers`: statuses for the next requests; then 200. A body whose signature is wrong is a fault."""

    def __init__(self, secret, answers=()):
        super().__init__()
        self.secret, self.answers, self.ids = secret, list(answers), []

    def serve(self, c):
        sink = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                at = self.headers["X-Davylamp-Timestamp"]
                want = hmac.new(sink.secret.encode(), at.encode() + b"." + body, hashlib.sha256).hexdigest()
                if not hmac.compare_digest("sha256=" + want, self.headers["X-Davylamp-Signature"] or ""):
                    sink.faults.append("a signature is wrong")
                with sink.lock:
                    status = sink.answers.pop(0) if sink.answers else 200
                sink.ids.append((self.headers["X-Davylamp-Message"], status))
                if status == 200:
                    sink.keep(json.loads(body))
                self.send_response(status)
                self.send_header("Content-Length", "0")
                if status == 302:
                    self.send_header("Location", f"http://127.0.0.1:{sink.port}/elsewhere")
                self.end_headers()

            def log_message(self, *_):
                pass

        Handler(c, c.getpeername(), None)
