"""Breaks lesson 20 on purpose, and looks whether the chaos run finds it.

    .ci/cluster/breaks            all mistakes: a minute or so for each
    .ci/cluster/breaks lease      those whose names contain this

Each is a change in the source of a copy. A run that finds nothing wrong with it is tried once more
with other events, because some mistakes need bad luck to show.
"""

import os
import subprocess
import sys
import time

from cluster import LESSON

from client import ROOT, TARGET
from chaos import SECONDS, attempt, limits

sys.path.insert(0, str(ROOT / ".ci"))
from compiled import copy_file, link_compiled, tracked_files, write_all_features

SEEDS = 17, 18, 19

# The name of the mistake, what is in one of the files, what is there then, and words that must be
# said. None are said where a mistake has many consequences.
BREAKS = [
    ("a lease that never ends",
     "sent + self.period() * (PARTS - MARGIN)", "sent + self.length * 100", ""),
    ("a node that is always dead",
     "Ok(entry.await?.is_some())", "entry.await.map(|_| false)", "somebody else was let in"),
    ("a node that is never dead",
     "Ok(entry.await?.is_some())", "entry.await.map(|_| true)", ""),
    ("a claim without compare-and-set",
     ".expected_last_subject_sequence(expected as u64)", "", ""),
    ("an id that the broker is not told",
     "message = message.message_id(id);", "let _ = id;", "twice"),
    ("an acknowledgement before the broker's",
     "let ack = answer.await.map_err(|_| AppendError::Unavailable)?;",
     "let Ok(ack) = answer.await else { return Ok(1) };", ""),
    ("a follower that begins at the end",
     "deliver_policy: DeliverPolicy::ByStartSequence {\n            start_sequence: position as u64 + 1,\n"
     "        },",
     "deliver_policy: DeliverPolicy::New,", "has not received"),
    ("many chats of a client at once",
     "const MAX_IN_FLIGHT: usize = 1;", "const MAX_IN_FLIGHT: usize = 32;", "and then"),
    ("nobody who sweeps",
     "() = self.sweep() => {}", "() = std::future::pending() => {}", ""),
    ("a resume that is announced",
     "let announce = !(replace && holder.is_some());", "let announce = true;", "only changed its connection"),
    ("an old connection that stays",
     "outbox.username != username || outbox.claim.is_none_or(|claim| claim >= seq)", "true",
     "old connection"),
]


def build_copy(copy, change):
    """Compiles a copy of the lesson with a change. Returns the path of the program."""
    for file in tracked_files(ROOT):
        copy_file(ROOT, file, copy)
    write_all_features(ROOT, copy)
    _, old, new, _ = change
    sources = list((copy / "lessons" / LESSON / "src").glob("*.rs"))
    found = [it for it in sources if old in it.read_text()]
    if len(found) != 1:
        raise LookupError(f"one of the files should have this: {old}")
    found[0].write_text(found[0].read_text().replace(old, new))
    link_compiled(TARGET, copy / "target")
    environment = {**os.environ, "CARGO_TARGET_DIR": str(copy / "target")}
    command = ["cargo", "build", "--quiet", "-p", LESSON]
    built = subprocess.run(command, cwd=copy, env=environment, stderr=subprocess.PIPE, text=True)
    if built.returncode:
        raise RuntimeError(f"it does not compile with this mistake: {built.stderr}")
    return copy / "target" / "debug" / LESSON


def main():
    wanted = [change for change in BREAKS if all(word in change[0] for word in sys.argv[1:])]
    limits()
    failed = []
    for change in wanted:
        name, *_, word = change
        began = time.monotonic()
        print(f"\n=== {name}", flush=True)
        program = build_copy(TARGET / "cluster" / "copy", change)
        for seed in SEEDS:
            found = attempt(seed, SECONDS, 1, LESSON, program)
            if any(word in sentence for sentence in found):
                break
        for sentence in found:
            print(f"FOUND: {sentence.removesuffix('.')}.")
        if not any(word in sentence for sentence in found):
            print(f"WRONG: with {name}, nothing was found that says {word!r}.")
            failed.append(name)
        print(f"--- {name}: {time.monotonic() - began:.0f} s", flush=True)
    print(f"\n{len(wanted)} mistakes, {len(failed)} not found{': ' if failed else '.'}{', '.join(failed)}")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
