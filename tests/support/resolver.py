# SPDX-License-Identifier: Apache-2.0
"""A name server for live tests, and a question to one (RFC 1035, section 4).

resolver.py serve ADDRESS=ANSWER...   answers each A question to ADDRESS:53 with ANSWER, for 300 s
resolver.py ask FROM ADDRESS NAME     prints the answer; exit 1: none came within a second
"""
import select
import socket
import struct
import sys

PORT, TTL_S, A, IN = 53, 300, 1, 1


def question(name):
    labels = b"".join(bytes([len(p)]) + p.encode() for p in name.split("."))
    return struct.pack(">6H", 0x4C41, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">2H", A, IN)


def answer(asked, address):
    """The question again, with one A record that points back at its name."""
    head = asked[:2] + struct.pack(">5H", 0x8180, 1, 1, 0, 0)
    return head + asked[12:] + struct.pack(">3HIH", 0xC00C, A, IN, TTL_S, 4) + socket.inet_aton(address)


def serve(pairs):
    answers = {}
    for pair in pairs:
        address, said = pair.split("=")
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.bind((address, PORT))
        answers[s] = said
    print("ready", flush=True)
    while True:
        for s in select.select(list(answers), [], [])[0]:
            asked, who = s.recvfrom(512)
            s.sendto(answer(asked, answers[s]), who)


def ask(own, address, name):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind((own, 0))
        s.settimeout(1)
        s.sendto(question(name), (address, PORT))
        print(socket.inet_ntoa(s.recv(512)[-4:]))


if sys.argv[1] == "serve":
    serve(sys.argv[2:])
try:
    ask(*sys.argv[2:])
except TimeoutError:
    sys.exit(1)
