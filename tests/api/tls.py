# SPDX-License-Identifier: Apache-2.0
"""TLS by the aggregator itself: requests, the event stream and a download by it, the command line against a
certificate that only --ca knows; and that each mistake with certificate and key is told in words before the start."""
import http.client
import pathlib
import shutil
import socket
import ssl
import subprocess
import warnings

from world import PATIENCE_S, World, check

V1 = "/api/v1"
PEM = pathlib.Path(__file__).resolve().parent.parent / "data/notify/localhost.pem"


class TlsWorld(World):
    def __init__(self, config=""):
        super().__init__(config)
        self.context = ssl.create_default_context(cafile=PEM)
        self.key = self.folder / "tls.pem"
        shutil.copy(PEM, self.key)
        self.key.chmod(0o600)
        # On every address, which plain HTTP may not be.
        conf = (self.folder / "conf").read_text().replace(f"127.0.0.1:{self.port}", f"0.0.0.0:{self.port}")
        (self.folder / "conf").write_text(conf + self.http(self.key, self.key))

    @staticmethod
    def http(certificate, key):
        return f'http = {{ certificate = "{certificate}"; key = "{key}"; }};\n'

    def connect(self):
        return http.client.HTTPSConnection("localhost", self.port, timeout=PATIENCE_S, context=self.context)

    def cli(self, *arguments, ca=("--ca", PEM)):
        return subprocess.run(
            [self.bin / "davylamp", "--url", f"https://localhost:{self.port}", "--token-file", self.folder / "token",
             *ca, *arguments], capture_output=True, text=True, check=False)


def served(w):
    check(w.want(200, "GET", V1 + "/miners")["miners"], "miners by TLS")
    login = w.call("POST", V1 + "/session", {"user": "admin", "password": w.first_password()}, token="")
    check("; Secure" in login.headers["Set-Cookie"], "the cookie is for TLS alone")
    said = w.want(200, "GET", "/metrics").text
    ends = ssl.cert_time_to_seconds(w.connect_raw().getpeercert()["notAfter"])
    check(f"\ndavylamp_http_certificate_end_time_seconds {ends}\n" in said, "the end of the certificate is told")


def streamed(w):
    c = w.connect()
    c.request("GET", V1 + "/events", headers={"Authorization": "Bearer " + w.token})
    r = c.getresponse()
    check(r.status == 200, f"the event stream: {r.status}")
    w.want(201, "POST", V1 + "/blocks", {"target": "203.0.113.77", "reason": "by TLS", "ttl": 600})
    line = b""
    while not line.startswith(b"event: block"):
        line = r.readline()
        check(line, "the stream ended before the event of the block")
    c.close()


def downloaded(w):
    to = w.folder / "copy.db"
    got = w.cli("backup", to)
    check(got.returncode == 0 and to.read_bytes()[:15] == b"SQLite format 3", f"a backup by TLS: {got.stderr}")


def spoken(w):
    """By the command line, and only TLS of today."""
    got = w.cli("miners")
    check(got.returncode == 0 and got.stdout, f"the command line: {got.stderr}")
    got = w.cli("miners", ca=())
    check(got.returncode == 1 and "certificate" in got.stderr, f"a certificate nobody signed is refused: {got.stderr}")
    with socket.create_connection(("127.0.0.1", w.port), timeout=PATIENCE_S) as s:
        s.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        check(not s.recv(4096).startswith(b"HTTP/"), "plain HTTP gets no answer")
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    old.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    try:
        with socket.create_connection(("127.0.0.1", w.port), timeout=PATIENCE_S) as s:
            old.wrap_socket(s)
        check(False, "TLS 1.1 is taken")
    except (ssl.SSLEOFError, ssl.SSLZeroReturnError, ConnectionResetError):
        pass  # what the server ends; a client that cannot even try fails otherwise


def refused(w):
    folder = w.folder
    other, open_key, garbage = folder / "other.pem", folder / "open.pem", folder / "garbage.pem"
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", other], check=True, capture_output=True)
    shutil.copy(PEM, open_key)
    garbage.write_text("no PEM\n")
    other.chmod(0o600), open_key.chmod(0o644), garbage.chmod(0o600)
    conf = folder / "conf"
    good = conf.read_text()
    for certificate, key, said in [
            (PEM, other, "http.key: " + str(other) + ": it is not the key of http.certificate"),
            (PEM, open_key, "http.key: " + str(open_key) + ": everybody may read it"),
            (garbage, w.key, "http.certificate: " + str(garbage) + ": no chain of PEM certificates"),
            (PEM, garbage, "http.key: " + str(garbage)),
            (folder / "gone.pem", w.key, "http.certificate: " + str(folder / "gone.pem") + ": No such file"),
            (PEM, "", "http.certificate and http.key belong together"),
            ("", w.key, "http.certificate and http.key belong together")]:
        conf.write_text(good.replace(w.http(w.key, w.key), w.http(certificate, key)))
        got = subprocess.run([w.bin / "davylamp-aggregator", "-c", conf], capture_output=True, text=True, timeout=60,
                             check=False)
        check(got.returncode == 2 and said in got.stderr, f"{certificate}, {key}: {got.returncode} {got.stderr}")
        got = subprocess.run([w.bin / "davylamp-aggregator", "-c", conf, "--check-config"], capture_output=True,
                             text=True, timeout=60, check=False)
        check(got.returncode == 2 and said in got.stderr, f"--check-config: {certificate}, {key}: {got.stderr}")
    conf.write_text(good)


def main():
    with TlsWorld() as w:
        w.connect_raw = lambda: w.context.wrap_socket(
            socket.create_connection(("127.0.0.1", w.port), timeout=PATIENCE_S), server_hostname="localhost")
        served(w)
        streamed(w)
        downloaded(w)
        spoken(w)
        w.stop()
        refused(w)
    print("tls: passed")


main()
