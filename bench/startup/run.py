"""How long `mixtune --help` and `mixtune methods`, which loads libtorch, take beside an empty program that is linked
to libtorch.

    python bench/startup/run.py [--mixtune build/mixtune] [--rounds 15] [--output bench/results/startup.md]

The sides alternate; the first round warms the page cache and is not counted. The libtorch is the one that
mixtune itself is linked to.
"""
import argparse
import datetime
import pathlib
import re
import statistics
import subprocess
import tempfile
import time


def libtorch_of(program):
    out = subprocess.run(["ldd", f"{program}-program"], check=True, stdout=subprocess.PIPE, text=True).stdout
    return pathlib.Path(re.search(r"libtorch_cpu\.so => (\S+)", out).group(1)).parent


def empty_program(folder, libraries):
    source = folder / "empty.cpp"
    source.write_text("int main() {}\n")
    program = folder / "empty"
    subprocess.run(["g++", "-O2", str(source), "-o", str(program), f"-L{libraries}", "-Wl,--no-as-needed",
                    "-ltorch", "-ltorch_cpu", "-lc10", f"-Wl,-rpath,{libraries}"], check=True)
    return program


def seconds(command):
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--mixtune", default="build/mixtune")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--output", default=None)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        empty = empty_program(pathlib.Path(name), libtorch_of(args.mixtune))
        commands = {"mixtune --help": [args.mixtune, "--help"], "mixtune methods": [args.mixtune, "methods"],
                    "empty program": [str(empty)]}
        times = {key: [] for key in commands}
        for round_number in range(args.rounds + 1):
            for key, command in commands.items():
                taken = seconds(command)
                if round_number:
                    times[key].append(taken)
    ratio = statistics.median(a / b for a, b in zip(times["mixtune methods"], times["empty program"]))
    lines = ["# Starting the program", "", "`bench/startup/run.py`; the bars: `--help` 50 ms, `methods` 1.3 times the empty program.", "",
             f"## {datetime.date.today()}", "", f"{args.rounds} rounds, alternating.", "",
             "| program | median, ms | fastest, ms |", "|---|---|---|"]
    for key, found in times.items():
        lines.append(f"| {key} | {1000 * statistics.median(found):.0f} | {1000 * min(found):.0f} |")
    lines += ["", f"Ratio of methods to the empty program, median over rounds: {ratio:.2f}", ""]
    text = "\n".join(lines)
    print(text)
    if args.output:
        pathlib.Path(args.output).write_text(text, encoding="utf8")


if __name__ == "__main__":
    main()
