#!/usr/bin/env python3
"""Do the tests notice when a line of the merge, of causality, receipts or cursors is wrong?

    tests/mutation/mutate.py BUILD_DIR [COUNT | --again FILE]

Makes COUNT (72) mutants of the functions below, one changed or dropped line each, evenly spread over them; builds each in a
copy of the tree and runs the tests, the quickest first, until one fails. Prints a line a mutant and a table at the end; exit
status 1 when one survives that `survivors.txt` does not explain. --again: those that survived in FILE, an earlier run's output.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
# file: its functions; None: all of them
SOURCES = {
    "core/merge.c": None,
    "core/causality.c": None,
    "core/parted.c": None,
    "core/replica.c": ["is_own", "take_receipt", "fork_when_acked", "mg_replica_receipt", "check_heads", "take_commits", "take_or_set_apart", "take_batch", "mg_cursor_advance",
                       "mg_replica_chunk", "mg_welcome_compare", "mg_replica_welcome", "mg_replica_end", "keep_place"],
}
# word: its change. A word of a `for` stays: one step too far is for the sanitizers to see.
CHANGES = [(" < ", " <= "), (" <= ", " < "), (" > ", " >= "), (" >= ", " > "), (" == ", " != "), (" != ", " == "), (" && ", " || "),
           (" || ", " && "), ("return true;", "return false;"), ("return false;", "return true;"), ("(!", "(")]
DECLARES = re.compile(r"^\s+(static |const |struct |enum |int|uint|bool|size_t|char|mg_status |sqlite3|return |break|continue|case |default|mg_assert|mg_bug|//|/?\*)")
TESTS = [("sim", ["tests/sim/test_sim", "--seeds", "40"], 120), ("peers", ["tests/hostile/test_peers"], 120),
         ("engine", ["tests/unit/test_engine"], 240), ("session", ["tests/sync/test_session"], 240), ("bundle", ["tests/unit/test_bundle"], 240), ("rules", ["tests/unit/test_rules"], 240),
         ("runs", ["tests/unit/test_runs"], 240), ("backup", ["tests/unit/test_backup"], 240), ("snapshot", ["tests/unit/test_snapshot"], 240), ("faults", ["tests/faults/test_faults"], 300),
         ("merge law", ["tests/laws/test_merge"], 600)]
TARGETS = ["sim_test_sim", "hostile_test_peers", "unit_test_engine", "sync_test_session", "laws_test_merge", "unit_test_bundle",
           "unit_test_rules", "unit_test_runs", "unit_test_backup", "unit_test_snapshot", "faults_test_faults"]


def functions(lines, names):
    """(name, first, last) of each definition."""
    name, first = None, 0
    for i, line in enumerate(lines):
        found = re.match(r"^[a-z].*?\b(\w+)\(", line)
        if found and not line.rstrip().endswith(";"):
            name, first = found.group(1), i
        if line.startswith("}") and name and (names is None or name in names):
            yield name, first + 1, i
            name = None


def mutants(file, names):
    lines = (ROOT / file).read_text().split("\n")
    for name, first, last in functions(lines, names):
        for i in range(first, last):
            line = lines[i]
            if line.strip() in ("", "{", "}") or "mg_assert" in line or "mg_bug" in line or line.lstrip().startswith(("/*", "*", "//")):
                continue
            for word, change in CHANGES:
                if word in line and not (line.lstrip().startswith("for (") and word in (" < ", " <= ")):
                    yield file, i, name, line.replace(word, change, 1)
            if line.endswith(";") and not DECLARES.match(line) and not line.lstrip().startswith("for "):
                yield file, i, name, ""


def chosen(count):
    every = [m for file, names in SOURCES.items() for m in mutants(file, names)]
    if count >= len(every):
        return every
    return [every[i * len(every) // count] for i in range(count)]


def again(file):
    """What nobody noticed then, as far as those lines are still there."""
    names = {line.split(None, 1)[1].strip() for line in Path(file).read_text().split("\n") if line.startswith("NOBODY  ")}
    every = [m for file, names_ in SOURCES.items() for m in mutants(file, names_)]
    return [m for m in every if entry_of(*m) in names]


def entry_of(file, i, name, changed):
    old = (ROOT / file).read_text().split("\n")[i].strip()
    return f"{file} {name}: {old} -> {changed.strip() or '(dropped)'}"


def run(command, cwd, seconds):
    """True: it went well. What takes much too long does not."""
    try:
        return subprocess.run(command, cwd=cwd, env=dict(os.environ, MAILLAGE_FAULTS="1"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=seconds).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def who_notices(tree, build, file=None):
    for name, command, seconds in TESTS:
        if name == "merge law" and file is not None and file not in ("core/merge.c", "core/causality.c"):
            continue  # it knows of rows alone
        if not run([str(build / command[0])] + command[1:], tree, seconds):
            return name
    return None


def explained():
    lines = (ROOT / "tests/mutation/survivors.txt").read_text().split("\n")
    return {line.split(" # ")[0].strip() for line in lines if line.strip() and not line.startswith("#")}


def main():
    place = Path(sys.argv[1]).resolve() / "mutants"
    tree, build = place / "tree", place / "build"
    shutil.rmtree(place, ignore_errors=True)
    tree.mkdir(parents=True)
    archive = subprocess.run(["git", "-C", str(ROOT), "archive", "HEAD"], check=True, stdout=subprocess.PIPE).stdout
    subprocess.run(["tar", "-x", "-C", str(tree)], check=True, input=archive)
    make = ["cmake", "--build", str(build), "--target"] + TARGETS
    subprocess.run(["cmake", "-G", "Ninja", "-S", str(tree), "-B", str(build), "-DMAILLAGE_BUILD=release"], check=True, stdout=subprocess.DEVNULL)
    subprocess.run(make, check=True, stdout=subprocess.DEVNULL)
    if who_notices(tree, build):
        sys.exit("the tests fail without any change")

    known, tally, unexplained = explained(), {}, 0
    if sys.argv[2:3] == ["--again"]:
        tried = again(sys.argv[3])
    else:
        tried = chosen(int(sys.argv[2]) if len(sys.argv) > 2 else 72)
    for file, i, name, changed in tried:
        path = tree / file
        was = path.read_text()
        lines = was.split("\n")
        lines[i] = changed
        path.write_text("\n".join(lines))
        noticed = who_notices(tree, build, file) if run(make, tree, 600) else "compiler"
        path.write_text(was)
        entry = entry_of(file, i, name, changed)
        if noticed is None:
            noticed = "explained" if entry in known else "NOBODY"
            unexplained += noticed == "NOBODY"
        tally[noticed] = tally.get(noticed, 0) + 1
        print(f"{noticed:10} {entry}", flush=True)
    print(", ".join(f"{who}: {n}" for who, n in sorted(tally.items())))
    sys.exit(1 if unexplained else 0)


main()
