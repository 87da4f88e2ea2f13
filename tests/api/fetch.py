# SPDX-License-Identifier: Apache-2.0
"""Programs of others that tests are held against: Debian packages and npm packages, unpacked into a folder of the
build and never installed. What the mirrors do not give now skips the test, and says so."""
import os
import pathlib
import re
import subprocess
import sys

SKIPPED, LIMIT_S = 77, 120


def skip(why):
    print(f"{pathlib.Path(sys.argv[0]).stem}: SKIPPED: {why}", flush=True)
    sys.exit(SKIPPED)


def run(*command, cwd):
    try:
        return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=True, timeout=LIMIT_S).stdout
    except (OSError, subprocess.SubprocessError) as e:
        skip(f"{' '.join(map(str, command))[:120]}: {getattr(e, 'stderr', None) or e}")


def once(folder, name, make):
    """The folder with what make(folder) puts there; it is made anew until it was made whole."""
    at = folder / name
    if not (at / "whole").exists():
        at.mkdir(parents=True, exist_ok=True)
        make(at)
        (at / "whole").touch()
    return at


def debian(folder, *packages):
    """The packages, and those of their needs that this machine lacks, as a root folder."""
    def make(at):
        apt = ["-o", "Acquire::http::Timeout=10", "-o", "Acquire::Retries=1", "-o", "APT::Sandbox::User=root"]
        plan = run("apt-get", "-s", "--no-install-recommends", *apt, "install", "--reinstall", *packages, cwd=at)
        run("apt-get", *apt, "download", *sorted(set(re.findall(r"^Inst (\S+)", plan, re.M)) | set(packages)), cwd=at)
        for deb in at.glob("*.deb"):
            run("dpkg-deb", "-x", deb, at / "root", cwd=at)
    return once(folder, "-".join(packages), make) / "root"


def npm(folder, package):
    def make(at):
        (at / "package.json").write_text("{}")
        run("npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-timeout=10000", "--fetch-retries=1",
            package, cwd=at)
    return once(folder, package, make)


def environment(root):
    """For programs below a root folder of debian()."""
    return dict(os.environ, LD_LIBRARY_PATH=str(next((root / "usr/lib").glob("*-linux-gnu"), root)))
