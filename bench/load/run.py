"""What other programs on the same cores cost: LoRA on MiniLM on a free machine, beside one busy process of the lowest
priority (nice 19), beside one of normal priority, and beside one of another session, to which Linux gives an equal share
whatever its priority (autogroups).

    python bench/load/run.py [--mixtune build/mixtune] [--rounds 5] [--steps 60] [--threads 2] \
        [--peer-python PYTHON --data DIR_OF_RTE] [--without-launcher] [--output bench/results/load.md]

The recipe is the quickstart's. The loads alternate; a ratio is taken within a round, and the median over the
rounds is printed. --without-launcher also measures mixtune-program as it is, whose waiting threads spin as OpenMP's
runtime has it. With --peer-python and --data also transformers + peft (bench/training/peer.py).
"""
import argparse
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import side_by_side as sides  # noqa: E402

LOADS = {"free": None, "beside nice 19": (19, False), "beside a normal one": (0, False),
         "beside another session": (0, True)}


class BusyProcess:
    """One process that computes without end: (how nice, whether in a session of its own); none for None."""

    def __init__(self, load):
        self.load = load

    def __enter__(self):
        self.process = None
        if self.load:
            nice, session = self.load
            self.process = subprocess.Popen(["nice", "-n", str(nice), sys.executable, "-c", "while True: pass"],
                                            start_new_session=session)

    def __exit__(self, *_):
        if self.process:
            self.process.kill()
            self.process.wait()


def run_mixtune(args, program, folder):
    return sides.run_mixtune(program, [
        "quickstart/lora", f"model.path={args.model}", f"train.steps={args.steps}", "train.evaluate_every=never",
        "train.save_every=never", f"threads={args.threads}"], folder)


def run_peer(args):
    return sides.run_peer(args.peer_python, HERE.parent / "training/peer.py", [
        "--model", args.model, "--train", pathlib.Path(args.data) / "train.tsv", "--steps", args.steps,
        "--max-length", 128, "--batch", 8, "--threads", args.threads])


def under(load, job):
    with BusyProcess(LOADS[load]):
        return job()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--mixtune", default="build/mixtune")
    parser.add_argument("--model", default=".cache/all-MiniLM-L6-v2")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--peer-python", default=None)
    parser.add_argument("--data", default=None, help="RTE's folder, for the peer")
    parser.add_argument("--without-launcher", action="store_true")
    parser.add_argument("--output", default=None)
    args = parser.parse_args()
    if bool(args.peer_python) != bool(args.data):
        parser.error("--peer-python and --data go together")
    # What the measuring shell has set is not what is measured.
    for name in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "OMP_NUM_THREADS"):
        os.environ.pop(name, None)

    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name) / "run"
        sides_of = {"mixtune": lambda: run_mixtune(args, args.mixtune, folder)}
        if args.without_launcher:
            sides_of["mixtune-program alone"] = lambda: run_mixtune(args, f"{args.mixtune}-program", folder)
        if args.peer_python:
            sides_of["transformers + peft"] = lambda: run_peer(args)
        jobs = {f"{side}, {load}": lambda load=load, job=job: under(load, job)
                for side, job in sides_of.items() for load in LOADS}
        rows = sides.alternate(jobs, args.rounds)

    lines = [sides.heading(args.threads), "",
             f"`bench/load/run.py`: {args.rounds} rounds of {args.steps} steps, alternating; median of tokens/s, and of "
             f"the ratio to the free machine within a round. {sides.versions(rows)}.", "",
             "| program | " + " | ".join(f"{load}, tokens/s" for load in LOADS) + " | "
             + " | ".join(f"{load} / free" for load in list(LOADS)[1:]) + " |",
             "|---" * (2 * len(LOADS)) + "|"]
    for side in sides_of:
        speeds = [statistics.median(row["tokens_per_second"] for row in rows[f"{side}, {load}"]) for load in LOADS]
        ratios = [statistics.median(sides.ratios(rows, "tokens_per_second", f"{side}, {load}", f"{side}, free"))
                  for load in list(LOADS)[1:]]
        lines.append(f"| {side} | " + " | ".join(f"{speed:.0f}" for speed in speeds) + " | "
                     + " | ".join(f"{ratio:.2f}" for ratio in ratios) + " |")
    if args.without_launcher:
        lines += ["", sides.ratio_line("free machine, mixtune over mixtune-program alone", sides.ratios(
            rows, "tokens_per_second", "mixtune, free", "mixtune-program alone, free"), "the bar is 0.97")]
    sides.publish(lines, args.output)


if __name__ == "__main__":
    main()
