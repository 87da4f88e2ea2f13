#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Whether the documents link to files and headings that are there. links.py SOURCE-FOLDER"""
import pathlib
import re
import sys

root = pathlib.Path(sys.argv[1])
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"```.*?```|`[^`\n]*`", re.S)


def anchors(path):
    """Of the headings, as the usual renderers make them: lower case, hyphens for spaces, no punctuation."""
    text = re.sub(r"```.*?```", "", path.read_text(), flags=re.S)
    heads = re.findall(r"^#+ +(.*?) *$", text, re.M)
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in heads}


def pages(folder):
    for path in sorted(folder.iterdir()):
        if path.is_dir() and path.name not in ("build", "node_modules") and not path.name.startswith("."):
            yield from pages(path)
        elif path.suffix == ".md":
            yield path


broken = found = 0
for page in pages(root):
    found += 1
    for target in LINK.findall(CODE.sub("", page.read_text())):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        at = (page.parent / file).resolve() if file else page
        if not at.exists() or (anchor and anchor not in anchors(at)):
            print(f"{page.relative_to(root)}: {target} is not there")
            broken += 1
if not found:
    sys.exit("no document found")
sys.exit(broken > 0)
