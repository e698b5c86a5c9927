"""The quality record: LoRA, MoLEx as it ships, MoLEx with a frozen random gate, MoLEx whose gate the task reaches.

    python bench/quality/run.py --data DIR_OF_GLUE --runs FOLDER [--output bench/results/quality.md]

One command, resumable: a finished run (result.json) is kept, one that was stopped goes on with `molt resume`,
so the same command may be called again until all runs are there. Writes the table at each call.
"""
import argparse
import concurrent.futures
import datetime
import json
import pathlib
import statistics
import subprocess

# Written out, so that the figures stay those of these settings when a default moves.
SHIPPED = ["molex", "method.alpha.main=0.95", "method.alpha.other=0.05"]
METHODS = {
    "lora": ["lora"],
    "molex": SHIPPED,
    "molex, random gate": [*SHIPPED, "method.control=random"],
    "molex, task gradient": [*SHIPPED, "method.gate.gradient=probability"],
    "molex, alpha 0.5": ["molex", "method.alpha.main=0.5", "method.alpha.other=0.5"],
}
FIRST_SEED_ONLY = {"molex, alpha 0.5"}
TASKS = {"rte": ("RTE", "accuracy"), "cola": ("CoLA", "matthews")}


def folder_of(root, task, method, seed):
    return root / f"{task}-{method.replace(', ', '-').replace(' ', '-')}-{seed}"


def one(args, root, task, method, seed):
    folder = folder_of(root, task, method, seed)
    if (folder / "result.json").exists():
        return
    if (folder / "checkpoints").exists():
        command = [args.molt, "resume", str(folder)]
    else:
        recipe, *overrides = METHODS[method]
        command = [args.molt, "train", recipe, task, f"model.path={args.model}",
                   f"task.data={args.data}/{TASKS[task][0]}", f"train.epochs={args.epochs}",
                   "train.batch_size=16", "train.learning_rate=2e-3", "model.train_pooler=true", f"train.seed={seed}",
                   f"threads={args.threads}", f"device={args.device}", "train.save_every=100", "--overwrite",
                   "--output", str(folder), *overrides]
    print("+", " ".join(command), flush=True)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def table(args, root, seeds):
    lines = [f"## {datetime.date.today()}: MiniLM, {args.epochs} epochs, seeds {seeds}", "",
             "| task | metric | method | " + " | ".join(f"seed {s}" for s in seeds) +
             " | mean | minus LoRA, paired |", "|---|---|---|" + "---|" * (len(seeds) + 2)]
    for task, (_, metric) in TASKS.items():
        values = {}
        for method in METHODS:
            found = []
            for seed in seeds:
                path = folder_of(root, task, method, seed) / "result.json"
                found.append(json.loads(path.read_text())["metrics"][metric] if path.exists() else None)
            values[method] = found
        for method, found in values.items():
            done = [v for v in found if v is not None]
            pairs = [v - b for v, b in zip(found, values["lora"]) if v is not None and b is not None]
            cells = [f"{100 * v:.2f}" if v is not None else "-" for v in found]
            mean = f"{100 * statistics.mean(done):.2f}" if done else "-"
            paired = ", ".join(f"{100 * d:+.2f}" for d in pairs) if method != "lora" else ""
            lines.append(f"| {task} | {metric} | {method} | " + " | ".join(cells) + f" | {mean} | {paired} |")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--molt", default="build/molt")
    parser.add_argument("--model", default=".cache/all-MiniLM-L6-v2")
    parser.add_argument("--data", required=True)
    parser.add_argument("--runs", default="runs/quality")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--parallel", type=int, default=1, help="runs at the same time")
    parser.add_argument("--tasks", nargs="+", default=["cola", "rte"], choices=list(TASKS))
    parser.add_argument("--output", default=None)
    args = parser.parse_args()
    root = pathlib.Path(args.runs)
    seeds = list(range(args.seeds))
    jobs = [(task, method, seed) for seed in seeds for task in args.tasks for method in METHODS
            if seed == seeds[0] or method not in FIRST_SEED_ONLY]
    with concurrent.futures.ThreadPoolExecutor(args.parallel) as pool:
        waiting = [pool.submit(one, args, root, *job) for job in jobs]
        for done in concurrent.futures.as_completed(waiting):
            done.result()
            text = table(args, root, seeds)
            if args.output:
                pathlib.Path(args.output).write_text(text, encoding="utf8")
    print(text)


if __name__ == "__main__":
    main()
