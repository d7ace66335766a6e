"""Prints a table of the lines that two runs reach, folder by folder, and the lines that none of them does.

Call: coverage.py SEEDS.json TESTS.json, which are exports of llvm-cov.
"""

import json
import os
import sys

FOLDERS = ["src/frame", "src/protocol", "src/verify", "src/codec", "src/http"]


def lines(segments: list) -> dict[int, int]:
    """How often each line is reached that has code: the most of the regions that begin or go on there."""
    counts: dict[int, int] = {}
    for before, after in zip(segments, segments[1:]):
        line, _, count, has_count, _, is_gap = before
        if not has_count or is_gap:
            continue
        # A region that ends at the beginning of a line has none of it.
        last = after[0] if after[1] > 1 else after[0] - 1
        for number in range(line, last + 1):
            counts[number] = max(counts.get(number, 0), count)
    return counts


def files(path: str) -> dict[str, dict[int, int]]:
    """The lines of each file of the folders."""
    with open(path, encoding="utf-8") as report:
        data = json.load(report)["data"][0]
    found = {}
    for file in data["files"]:
        name = os.path.relpath(file["filename"])
        if any(name.startswith(folder + "/") for folder in FOLDERS):
            found[name] = lines(file["segments"])
    return found


def share(runs: list[dict[int, int]]) -> str:
    """What a run reaches of some files."""
    total = sum(len(counts) for counts in runs)
    reached = sum(count > 0 for counts in runs for count in counts.values())
    return f"{reached} of {total}, {100 * reached / total:.1f} %"


def main() -> None:
    """Prints the table, then the lines that no test reaches."""
    by_seeds, by_tests = (files(path) for path in sys.argv[1:3])
    print("| folder | by the seeds | by the tests |")
    print("|---|---|---|")
    for folder in FOLDERS:
        cells = [
            share([counts for name, counts in run.items() if name.startswith(folder + "/")])
            for run in (by_seeds, by_tests)
        ]
        print(f"| `{folder}` | {cells[0]} | {cells[1]} |")
    for what, run in (("seeds", by_seeds), ("tests", by_tests)):
        print(f"\nNot reached by the {what}:")
        for name, counts in sorted(run.items()):
            if missed := [str(line) for line, count in sorted(counts.items()) if count == 0]:
                print(f"{name}: {' '.join(missed)}")


if __name__ == "__main__":
    main()
