"""Stops and kills nodes and brokers of the capstone under load, and looks whether the chat holds.

    .ci/cluster/capstone               30 s of it
    .ci/cluster/capstone --seconds 120 so many seconds
    SEED=17 .ci/cluster/capstone       the same events as another time

It is the chaos of lesson 20 (chaos.py). The people who may sign in are a part of the program, so
this compiles a copy that knows more of them. In its settings, one person may do what they like.
"""

import os
import random
import subprocess
import sys

from chaos import SECONDS, attempt, limits, option
from cluster import CAPSTONE

from client import ROOT, TARGET
from delivery_client import PEOPLE

sys.path.insert(0, str(ROOT / ".ci"))
from compiled import copy_file, link_compiled, tracked_files, write_all_features

USERS = "lessons/lesson_24_capstone/src/auth/users.txt"


def build_copy(copy):
    """Compiles a copy in which all of them may sign in. Returns the path of the program."""
    for file in tracked_files(ROOT):
        if file != USERS:
            copy_file(ROOT, file, copy)
    write_all_features(ROOT, copy)
    lines = (ROOT / USERS).read_text()
    hashed = lines.splitlines()[-1].split(":", 2)[2]
    known = {line.split(":")[0] for line in lines.splitlines()}
    lines += "".join(f"{name}:user:{hashed}\n" for name in PEOPLE if name not in known)
    users = copy / USERS
    if not users.exists() or users.read_text() != lines:
        users.write_text(lines)
    link_compiled(TARGET, copy / "target")
    environment = {**os.environ, "CARGO_TARGET_DIR": str(copy / "target")}
    command = ["cargo", "build", "--quiet", "-p", CAPSTONE]
    subprocess.run(command, cwd=copy, env=environment, check=True)
    return copy / "target" / "debug" / CAPSTONE


def main():
    words = sys.argv[1:]
    if {word for word in words if word.startswith("--")} - {"--brokers", "--seconds"}:
        sys.exit(__doc__)
    limits()
    program = build_copy(TARGET / "cluster" / "capstone")
    seed = int(os.environ.get("SEED") or random.SystemRandom().randrange(10**6))
    seconds, brokers = option(words, "--seconds", SECONDS), option(words, "--brokers", 1)
    problems = attempt(seed, seconds, brokers, CAPSTONE, program)
    for sentence in problems:
        print(f"WRONG, SEED={seed}: {sentence.removesuffix('.')}.")
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main())
