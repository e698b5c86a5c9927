"""The speed of two builds of mixtune, alternating: does a change cost time?

    python bench/versions/run.py --before ../before/build/mixtune --before-root ../before [--after build/mixtune] \
        [--rounds 5] [--steps 40] [--threads 2] [--output FILE]

Each build runs with the recipes of its own source tree, because option names may change from one version to the next.
LoRA, MoLEx, DynMoLE and MixLoRA are trained on all-MiniLM-L6-v2 (QNLI) and on models/tiny-gpt2 (E2E). The ratio is taken
within a round; above 1 means that the later build is faster.
"""
import argparse
import os
import pathlib
import statistics
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import side_by_side as sides  # noqa: E402

METHODS = ["lora", "molex", "dynmole", "mixlora"]
MODELS = {
    "MiniLM": ["qnli", "task.data=examples/quickstart/qnli", "task.max_length=128", "train.batch_size=16"],
    "tiny-gpt2": ["e2e", "model.path=models/tiny-gpt2", "task.data=examples/e2e", "task.max_length=128",
                  "train.batch_size=8"],
}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--before", required=True)
    parser.add_argument("--before-root", required=True)
    parser.add_argument("--after", default="build/mixtune")
    parser.add_argument("--model", default=".cache/all-MiniLM-L6-v2")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", nargs="+", default=None, help="such as 'MiniLM, lora'; default: all")
    parser.add_argument("--output", default=None)
    args = parser.parse_args()
    builds = {"before": (os.path.abspath(args.before), args.before_root),
              "after": (os.path.abspath(args.after), sides.REPOSITORY)}
    model, output = os.path.abspath(args.model), args.output and os.path.abspath(args.output)

    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name) / "run"

        def job(build, method, settings):
            program, root = builds[build]
            task, *rest = settings
            chosen = [f"model.path={model}"] if task == "qnli" else []
            os.chdir(root)
            return sides.run_mixtune(program, [
                task, method, *rest, *chosen, f"train.steps={args.steps}", "train.evaluate_every=never",
                "train.save_every=never", f"threads={args.threads}"], folder)

        pairs = [(model_name, method) for model_name in MODELS for method in METHODS
                 if args.only is None or f"{model_name}, {method}" in args.only]
        jobs = {f"{model_name}, {method}, {build}": lambda b=build, m=method, s=MODELS[model_name]: job(b, m, s)
                for model_name, method in pairs for build in builds}
        rows = sides.alternate(jobs, args.rounds)

    lines = [sides.heading(args.threads), "",
             f"`bench/versions/run.py`: {args.rounds} rounds of {args.steps} steps, alternating; median of tokens/s, and of "
             "after / before within a round.", "",
             "| model | method | before, tokens/s | after, tokens/s | after / before |", "|---|---|---|---|---|"]
    for model_name, method in pairs:
        name = f"{model_name}, {method}"
        speed = {build: statistics.median(row["tokens_per_second"] for row in rows[f"{name}, {build}"])
                 for build in builds}
        values = sides.ratios(rows, "tokens_per_second", f"{name}, after", f"{name}, before")
        lines.append(f"| {model_name} | {method} | {speed['before']:.0f} | {speed['after']:.0f} | "
                     f"{statistics.median(values):.3f} |")
    sides.publish(lines, output)


if __name__ == "__main__":
    main()
