"""Runs a script in a virtual environment that has what a requirements file names.

usage: venv.py REQUIREMENTS SCRIPT [ARGUMENT...]

Environments lie in ~/.cache/flowctl/python (or below XDG_CACHE_HOME), one for each interpreter and content of the file and of those that it
includes. The first task that wants one makes it, others wait; a task holds a shared lock as long as it runs, and what nobody has used
for a week is removed.
"""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time

WEEK = 7 * 24 * 3600
INCLUDE = re.compile(r"\s*(?:-r|--requirement|-c|--constraint)(?:\s+|=)(\S+)")


def read(path, seen):
    """Adds the contents of a file, and of those that it includes, in the order of reading."""
    path = os.path.realpath(path)
    if path in seen:
        return
    with open(path, encoding="utf-8") as f:
        seen[path] = f.read()
    for line in seen[path].splitlines():
        include = INCLUDE.match(line)
        if include and "://" not in include[1]:
            read(os.path.join(os.path.dirname(path), include[1]), seen)


def lock(folder, how):
    """Locks an environment; the lock lasts until the descriptor is closed."""
    fd = os.open(folder + ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(fd, how)
    return fd


def make(folder, requirements):
    print("flowctl: making a virtual environment for", requirements, flush=True)
    shutil.rmtree(folder, ignore_errors=True)  # of an attempt that was killed meanwhile
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    pip = [os.path.join(folder, "bin", "python"), "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--quiet"]
    subprocess.run(pip + ["-r", requirements], check=True)
    with open(os.path.join(folder, "complete"), "w", encoding="utf-8"):
        pass


def tidy(cache, now):
    """Removes the environments that nobody uses and nobody has used for a week."""
    for name in os.listdir(cache):
        folder = os.path.join(cache, name)
        if name.endswith(".lock") or now - used(folder) < WEEK:
            continue
        try:
            fd = lock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            continue
        if now - used(folder) >= WEEK:
            shutil.rmtree(folder, ignore_errors=True)
        os.close(fd)  # the lock's file stays: another attempt may wait for it


def used(folder):
    for path in (os.path.join(folder, "complete"), folder):
        try:
            return os.stat(path).st_mtime
        except OSError:
            pass
    return time.time()


def main(requirements, script, *arguments):
    files = {}
    try:
        read(requirements, files)
    except (OSError, UnicodeDecodeError) as error:
        sys.exit(f"flowctl: requirements: {error}")
    digest = hashlib.sha256("\0".join([sys.version, os.path.realpath(sys.executable), *files.values()]).encode()).hexdigest()[:32]
    home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    cache = os.path.join(home, "flowctl", "python")
    os.makedirs(cache, mode=0o700, exist_ok=True)
    folder = os.path.join(cache, digest)
    complete = os.path.join(folder, "complete")
    fd = lock(folder, fcntl.LOCK_SH)
    while not os.path.exists(complete):
        os.close(fd)
        fd = lock(folder, fcntl.LOCK_EX)
        if not os.path.exists(complete):
            try:
                make(folder, requirements)
            except subprocess.CalledProcessError as error:
                sys.exit(f"flowctl: requirements: {os.path.basename(error.cmd[0])} {' '.join(error.cmd[1:3])} ended with {error.returncode}")
        fcntl.flock(fd, fcntl.LOCK_SH)
    os.utime(complete)
    tidy(cache, time.time())
    os.set_inheritable(fd, True)
    binaries = os.path.join(folder, "bin")
    environment = dict(os.environ, VIRTUAL_ENV=folder, PATH=binaries + os.pathsep + os.environ.get("PATH", os.defpath))
    os.execve(os.path.join(binaries, "python"), [os.path.join(binaries, "python"), script, *arguments], environment)


main(*sys.argv[1:])
