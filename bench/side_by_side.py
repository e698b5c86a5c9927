"""Shared code of the benchmarks with two sides: run each side, alternate, and write a dated section of Markdown.

A job is a function that returns a row: tokens_per_second, step_ms, peak_memory_bytes. Both sides exclude their first
two steps. Ratios are computed within each round, so that both sides had the same machine load; the median is reported.
"""
import datetime
import json
import os
import pathlib
import platform
import re
import statistics
import subprocess

REPOSITORY = pathlib.Path(__file__).resolve().parents[1]
SKIPPED_STEPS = 2  # as in src/train/training.cpp


def quiet():
    return {**os.environ, "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}


def processor():
    for line in open("/proc/cpuinfo", encoding="utf8"):
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor()


def run_mixtune(mixtune, arguments, folder):
    """Runs `mixtune train` with these arguments and returns its measurements."""
    subprocess.run([mixtune, "train", *arguments, "--output", str(folder), "--overwrite"], check=True,
                   stdout=subprocess.DEVNULL)
    result = json.loads((folder / "result.json").read_text())
    tokens = [event["tokens"] for event in map(json.loads, open(folder / "events.jsonl", encoding="utf8"))
              if event["event"] == "step"][SKIPPED_STEPS:]
    return {"tokens_per_second": result["tokens_per_second"],
            "step_ms": 1000 * sum(tokens) / len(tokens) / result["tokens_per_second"],
            "peak_memory_bytes": result["peak_memory_bytes"]}


def run_peer(python, script, arguments):
    """Runs a peer's script, whose last line of output is a JSON object."""
    out = subprocess.run([python, str(script), *map(str, arguments)], stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE, env=quiet(), text=True)
    if out.returncode:
        raise SystemExit(f"{out.stderr[-2000:]}\n{script} {' '.join(map(str, arguments))}: failed")
    return json.loads(out.stdout.strip().split("\n")[-1])


def alternate(jobs, rounds):
    """Runs each job once per round, in order; returns rows by name."""
    rows = {name: [] for name in jobs}
    for number in range(rounds):
        for name, job in jobs.items():
            rows[name].append(job())
            print(f"round {number + 1}: {name}: {rows[name][-1]['tokens_per_second']:.0f} tokens/s", flush=True)
    return rows


def ratios(rows, field, above, below):
    """One ratio per round."""
    return [a[field] / b[field] for a, b in zip(rows[above], rows[below])]


def ratio_line(title, values, bar=""):
    text = f"- {title}: {statistics.median(values):.2f} (rounds {', '.join(f'{v:.2f}' for v in values)})"
    return text + (f"; {bar}" if bar else "")


def heading(threads):
    return f"## {datetime.date.today()}: {processor()}, {threads} threads"


def mixtune_version():
    """The version of this source tree: "mixtune 0.1.0 (commit cafad83)"."""
    project = (REPOSITORY / "CMakeLists.txt").read_text(encoding="utf8")
    version = re.search(r"project\(mixtune VERSION ([0-9.]+)", project).group(1)
    try:
        commit = subprocess.run(["git", "-C", str(REPOSITORY), "rev-parse", "--short", "HEAD"], check=True,
                                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        commit = "unknown"
    return f"mixtune {version} (commit {commit})"


def versions(rows):
    """The versions of mixtune and of the peer's packages."""
    found = [row["versions"] for of_job in rows.values() for row in of_job if "versions" in row]
    peers = [f"{name} {version}" for name, version in found[0].items()] if found else []
    return ", ".join([mixtune_version(), *peers])


def table(rows):
    """Medians, with the speed of every round."""
    lines = ["| job | real tokens/s | ms per step | peak memory, MB |", "|---|---|---|---|"]
    for name, of_job in rows.items():
        def middle(field):
            return statistics.median(row[field] for row in of_job)
        every = ", ".join(f"{row['tokens_per_second']:.0f}" for row in of_job)
        lines.append(f"| {name} | {middle('tokens_per_second'):.0f} ({every}) | {middle('step_ms'):.0f} | "
                     f"{middle('peak_memory_bytes') / 1e6:.0f} |")
    return lines


def publish(lines, path):
    """Prints a section and appends it to a file of results, if one is named."""
    text = "\n".join(lines) + "\n"
    print(text)
    if path:
        with open(path, "a", encoding="utf8") as file:
            file.write("\n" + text)
