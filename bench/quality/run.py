"""The quality records: methods side by side on MiniLM, RTE and CoLA, with seeds in common.

    python bench/quality/run.py layers --data DIR_OF_GLUE --runs FOLDER [--output bench/results/quality.md]

Records: `layers` (LoRA, MoLEx as it ships and its controls), `experts` (mixtures of LoRA experts and MoLEx over
them, at matched trainable parameters). One command, resumable: a finished run (result.json) is kept, one that was
stopped goes on with `molt resume`, so the same command may be called again until all runs are there. Writes the
table at each call.
"""
import argparse
import concurrent.futures
import datetime
import json
import pathlib
import statistics
import subprocess

# Settings are written out, so that the figures stay those of these settings when a default moves.
MAIN_HEAVY = ["molex", "method.alpha.main=0.95", "method.alpha.other=0.05"]
LAYERS = {
    "lora": ["lora"],
    "molex": MAIN_HEAVY,
    "molex, random gate": [*MAIN_HEAVY, "method.control=random"],
    "molex, task gradient": [*MAIN_HEAVY, "method.gate.gradient=probability"],
    "molex, alpha 0.5": ["molex", "method.alpha.main=0.5", "method.alpha.other=0.5"],
}

# On all linears of a block: rank 18 of one LoRA has the 124,416 parameters of 4 experts of rank 4 with their
# routers, and of rank 20 on attention beside 4 feed-forward experts of rank 4 with one router. MoLEx adds its gate.
TARGETS = "targets=[all-linear]"
FOUR = ["experts=4", "rank=4", "alpha=8", "dropout=0.05", TARGETS]


def of(path, settings):
    return [f"{path}.{setting}" for setting in settings]


EXPERTS = {
    "lora": ["lora", *of("method", ["rank=18", "alpha=36", "dropout=0.05", TARGETS])],
    "mola": ["mola", *of("method", ["experts=[2,3,4,4,5,6]", *FOUR[1:], "top_k=2", "balance=0"])],
    "mixlora": ["mixlora", *of("method", ["routing=top_k", "experts=4", "k=2", "rank=4", "alpha=8", "dropout=0.05",
                                          "balance=0.001", "attention_rank=20", "attention_alpha=40"])],
    "loramoe": ["loramoe", *of("method", FOUR)],
    "dynmole": ["dynmole", *of("method", FOUR)],
    "molex": [*MAIN_HEAVY, *of("method.over", ["rank=18", "alpha=36", "dropout=0.05", TARGETS])],
    "molex over dynmole": [*MAIN_HEAVY, *of("method.over", ["name=dynmole", *FOUR])],
}
# What all runs of a record share: methods, the learning rate, and the methods that run with the first seed only.
RECORDS = {
    "layers": (LAYERS, "1e-3", {"molex, alpha 0.5"}),
    "experts": (EXPERTS, "1e-3", set()),
}
TASKS = {"cola": ("CoLA", "matthews"), "rte": ("RTE", "accuracy")}


def folder_of(args, task, method, seed):
    return pathlib.Path(args.runs) / f"{args.record}-{task}-{method.replace(',', '').replace(' ', '-')}-{seed}"


def one(args, task, method, seed):
    folder = folder_of(args, task, method, seed)
    if (folder / "result.json").exists():
        return
    methods, rate, _ = RECORDS[args.record]
    if (folder / "checkpoints").exists():
        command = [args.molt, "resume", str(folder)]
    else:
        recipe, *overrides = methods[method]
        command = [args.molt, "train", recipe, task, f"model.path={args.model}",
                   f"task.data={args.data}/{TASKS[task][0]}", f"train.epochs={args.epochs}",
                   "train.batch_size=16", f"train.learning_rate={rate}", "train.schedule=linear", "train.warmup=0.06",
                   "train.weight_decay=0", "model.train_pooler=true", f"train.seed={seed}",
                   f"threads={args.threads}", f"device={args.device}", "train.save_every=100", "--overwrite",
                   "--output", str(folder), *overrides]
    print("+", " ".join(command), flush=True)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def result_of(args, task, method, seed):
    path = folder_of(args, task, method, seed) / "result.json"
    return json.loads(path.read_text()) if path.exists() else None


def table(args, seeds):
    lines = [f"## {datetime.date.today()}: {args.record}, MiniLM, {args.epochs} epochs, seeds {seeds}", "",
             "| task | metric | method | trainable | " + " | ".join(f"seed {s}" for s in seeds) +
             " | mean | minus LoRA, paired | minutes |", "|---|---|---|---|" + "---|" * (len(seeds) + 3)]
    for task, (_, metric) in TASKS.items():
        base = [result_of(args, task, "lora", seed) for seed in seeds]
        for method in RECORDS[args.record][0]:
            found = [result_of(args, task, method, seed) for seed in seeds]
            done = [r for r in found if r]
            if not done:
                lines.append(f"| {task} | {metric} | {method} | |" + " - |" * len(seeds) + " | | |")
                continue
            value = lambda r: 100 * r["metrics"][metric]
            cells = " | ".join(f"{value(r):.2f}" if r else "-" for r in found)
            paired = "" if method == "lora" else ", ".join(
                f"{value(r) - value(b):+.2f}" for r, b in zip(found, base) if r and b)
            minutes = statistics.mean(r["seconds"] for r in done) / 60
            lines.append(f"| {task} | {metric} | {method} | {done[0]['trainable_parameters']:,} | {cells} | "
                         f"{statistics.mean(map(value, done)):.2f} | {paired} | {minutes:.1f} |")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("record", choices=list(RECORDS))
    parser.add_argument("--molt", default="build/molt")
    parser.add_argument("--model", default=".cache/all-MiniLM-L6-v2")
    parser.add_argument("--data", required=True, help="a folder with RTE and CoLA in GLUE's layout")
    parser.add_argument("--runs", default="runs/quality")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--parallel", type=int, default=1, help="runs at the same time")
    parser.add_argument("--tasks", nargs="+", default=list(TASKS), choices=list(TASKS))
    parser.add_argument("--output", default=None)
    args = parser.parse_args()
    methods, _, first_seed_only = RECORDS[args.record]
    seeds = list(range(args.seeds))
    jobs = [(task, method, seed) for seed in seeds for task in args.tasks for method in methods
            if method not in first_seed_only]
    jobs += [(task, method, seeds[0]) for task in args.tasks for method in methods if method in first_seed_only]
    with concurrent.futures.ThreadPoolExecutor(args.parallel) as pool:
        for done in concurrent.futures.as_completed([pool.submit(one, args, *job) for job in jobs]):
            done.result()
            if args.output:
                pathlib.Path(args.output).write_text(table(args, seeds), encoding="utf8")
    print(table(args, seeds))


if __name__ == "__main__":
    main()
