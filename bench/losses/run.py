#!/usr/bin/env python3
"""Prints the losses of 20 steps of eight methods on two models in full precision.

Use it to check a change that should not alter results: on one machine, the outputs of the program
before and after the change must be equal bit by bit.

    make model
    python3 bench/losses/run.py --program build/mixtune > after.txt
    python3 bench/losses/run.py --program ../before/build/mixtune --root ../before > before.txt
    cmp before.txt after.txt

Each program uses the recipes of its own source tree (--root), because option names may change
between versions. The models are all-MiniLM-L6-v2 and models/tiny-gpt2.
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile

METHODS = ["lora", "dora", "adalora", "houlsby", "dynmole", "mola", "mixlora", "molex"]
MODELS = {
    "minilm": ["qnli", "model.path={model}", "task.data=examples/quickstart/qnli",
               "task.max_length=128", "train.batch_size=8"],
    "decoder": ["e2e", "model.path=models/tiny-gpt2", "task.data=examples/e2e",
                "task.max_length=128", "train.batch_size=4"],
}


def losses(program, root, method, settings, steps, threads):
    with tempfile.TemporaryDirectory() as folder:
        run = pathlib.Path(folder) / "run"
        command = [program, "train", settings[0], method, *settings[1:], f"train.steps={steps}",
                   "train.seed=3", "train.evaluate_every=never", "train.save_every=never",
                   "train.warmup=0.1", f"threads={threads}", "device=cpu", "--output", str(run)]
        done = subprocess.run(command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True)
        if done.returncode != 0:
            sys.exit(f"{' '.join(command)}: exit code {done.returncode}\n{done.stdout[-2000:]}")
        events = [json.loads(line) for line in open(run / "events.jsonl")]
        return [event["loss"] for event in events if event["event"] == "step"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    here = pathlib.Path(__file__).resolve().parents[2]
    parser.add_argument("--program", default=str(here / "build/mixtune"), type=os.path.abspath)
    parser.add_argument("--root", default=here, help="source tree of the program, for its recipes")
    parser.add_argument("--model", default=here / ".cache/all-MiniLM-L6-v2", type=os.path.abspath)
    parser.add_argument("--steps", default=20, type=int)
    parser.add_argument("--threads", default=2, type=int)
    parser.add_argument("--methods", nargs="+", default=METHODS)
    arguments = parser.parse_args()
    for name, settings in MODELS.items():
        settings = [value.format(model=arguments.model) for value in settings]
        for method in arguments.methods:
            values = losses(arguments.program, arguments.root, method, settings, arguments.steps,
                            arguments.threads)
            assert len(values) == arguments.steps, (name, method, len(values))
            print(name, method, *map(repr, values), flush=True)


main()
