"""Quality records: compares methods on one model with the same seeds.

    python bench/quality/run.py layers --data DIR_OF_GLUE --runs FOLDER [--output table.md]

Records: `layers` (MiniLM on RTE and CoLA: LoRA, MoLEx with its defaults and with gate ablations), `experts` (the same
tasks with mixtures of LoRA experts and MoLEx over them, at matched trainable parameters), `e2e` (generation with a
small decoder, --model, on the E2E challenge, --data). The command can be repeated until all runs are finished:
finished runs are kept, and an interrupted run continues with `mixtune resume`. Every call writes the table.
"""
import argparse
import concurrent.futures
import dataclasses
import datetime
import json
import pathlib
import statistics
import subprocess
from typing import Callable


def of(path, settings):
    return [f"{path}.{setting}" for setting in settings]


# Settings are explicit, so that the results do not change with the defaults.
MAIN_HEAVY = ["molex", "method.alpha.main=0.95", "method.alpha.other=0.05"]
LAYERS = {
    "lora": ["lora"],
    "molex": MAIN_HEAVY,
    "molex, random gate": [*MAIN_HEAVY, "method.control=random"],
    "molex, task gradient": [*MAIN_HEAVY, "method.gate.gradient=probability"],
    "molex, alpha 0.5": ["molex", "method.alpha.main=0.5", "method.alpha.other=0.5"],
}

# On all linears of a layer: one LoRA of rank 18 has 124,416 parameters, as do 4 experts of rank 4 with their routers,
# and rank 20 on attention with 4 feed-forward experts of rank 4 and one router. MoLEx adds its gate.
TARGETS = "target_modules=[all-linear]"
FOUR = ["num_experts=4", "r=4", "lora_alpha=8", "lora_dropout=0.05", TARGETS]

EXPERTS = {
    "lora": ["lora", *of("method", ["r=18", "lora_alpha=36", "lora_dropout=0.05", TARGETS])],
    "mola": ["mola", *of("method", ["num_experts=[2,3,4,4,5,6]", *FOUR[1:], "top_k=2", "balance=0"])],
    "mixlora": ["mixlora", *of("method", ["routing=top_k", "num_experts=4", "top_k=2", "r=4", "lora_alpha=8",
                                          "lora_dropout=0.05", "balance=0.001", "attention_r=20",
                                          "attention_alpha=40"])],
    "loramoe": ["loramoe", *of("method", FOUR)],
    "dynmole": ["dynmole", *of("method", FOUR)],
    "molex": [*MAIN_HEAVY, *of("method.over", ["r=18", "lora_alpha=36", "lora_dropout=0.05", TARGETS])],
    "molex over dynmole": [*MAIN_HEAVY, *of("method.over", ["name=dynmole", *FOUR])],
}

# On the decoder: the gate and its weights are those of the reference recipes.
E2E_MIXTURE = ["name=dynmole", "num_experts=6", "r=2", "lora_alpha=4", "lora_dropout=0", TARGETS]
E2E = {
    "lora": ["e2e/small-lora"],
    "full": ["e2e/small-full"],
    "molex": ["e2e/small-molex"],
    "molex, random gate": ["e2e/small-molex", "method.control=random"],
    "molex, itself": ["e2e/small-molex", "method.control=self"],
    "dynmole": ["e2e/small-dynmole"],
    "molex over dynmole": ["e2e/small-molex", *of("method.over", E2E_MIXTURE)],
}
BEAMS = ["--num-beams", "4", "--length-penalty", "0.9", "--no-repeat-ngram-size", "4"]


def glue_settings(rate):
    return lambda args, task: [
        task, f"task.data={args.data}/{GLUE[task][0]}", f"train.epochs={args.epochs or 3}", "train.batch_size=16",
        f"train.learning_rate={rate}", "train.schedule=linear", "train.warmup=0.06", "train.weight_decay=0",
        "model.train_pooler=true"]


def glue_scores(folder):
    metrics = json.loads((folder / "result.json").read_text())["metrics"]
    return {name: 100 * value for name, value in metrics.items()}


def e2e_settings(args, task):
    return [f"task.data={args.data}", f"train.epochs={args.epochs or 1}"]


def generate_and_score(args, folder):
    """Generates a text for each meaning of the test set, and scores them, once."""
    texts, scores = folder / "texts.jsonl", folder / "scores.json"
    if scores.exists():
        return
    if not texts.with_suffix(".txt").exists():  # it is written after the last text
        run([args.mixtune, "generate", folder, "--output", texts, *BEAMS, "--threads", args.threads])
    scores.write_text(run([args.mixtune, "score", "e2e", "--references", f"{args.data}/testset_w_refs.csv", "--outputs",
                           texts.with_suffix(".txt"), "--json"]))


def e2e_scores(folder):
    path = folder / "scores.json"
    if not path.exists():
        return None
    metrics = json.loads(path.read_text())["metrics"]
    return {name: 100 * value if name in ("bleu", "rouge_l", "meteor") else value for name, value in metrics.items()}


GLUE = {"cola": ("CoLA", "matthews"), "rte": ("RTE", "accuracy")}


@dataclasses.dataclass
class Record:
    methods: dict[str, list[str]]  # recipe and settings; `lora` is the baseline
    tasks: dict[str, list[str]]    # with the metrics to show
    settings: Callable             # settings of all runs of a task
    scores: Callable               # of a finished run; None if not available yet
    first_seed_only: set[str] = dataclasses.field(default_factory=set)
    measure: Callable = lambda args, folder: None  # called after a run has finished
    model: str | None = ".cache/all-MiniLM-L6-v2"  # None: --model is required


GLUE_TASKS = {task: [metric] for task, (_, metric) in GLUE.items()}
RECORDS = {
    # The learning rates were chosen on LoRA and CoLA, seed 0 (bench/results/quality.md).
    "layers": Record(LAYERS, GLUE_TASKS, glue_settings("1e-3"), glue_scores, {"molex, alpha 0.5"}),
    "experts": Record(EXPERTS, GLUE_TASKS, glue_settings("5e-4"), glue_scores),
    "e2e": Record(E2E, {"e2e": ["bleu", "nist", "rouge_l", "cider"]}, e2e_settings, e2e_scores,
                  measure=generate_and_score, model=None),
}


def run(command):
    print("+", " ".join(map(str, command)), flush=True)
    return subprocess.run(list(map(str, command)), check=True, stdout=subprocess.PIPE, text=True).stdout


def folder_of(args, task, method, seed):
    return pathlib.Path(args.runs) / f"{args.record}-{task}-{method.replace(',', '').replace(' ', '-')}-{seed}"


def one(args, task, method, seed):
    folder, record = folder_of(args, task, method, seed), RECORDS[args.record]
    if not (folder / "result.json").exists():
        if (folder / "checkpoints").exists():
            run([args.mixtune, "resume", folder])
        else:
            recipe, *overrides = record.methods[method]
            run([args.mixtune, "train", recipe, *record.settings(args, task),
                 f"model.path={args.model or record.model}", f"train.seed={seed}",
                 f"threads={args.threads}", f"device={args.device}", "train.save_every=100",
                 "--overwrite", "--output", folder, *overrides])
    record.measure(args, folder)


def result_of(args, task, method, seed):
    """The result of a run with its scores; None until both exist."""
    folder = folder_of(args, task, method, seed)
    if not (folder / "result.json").exists():
        return None
    scores = RECORDS[args.record].scores(folder)
    return {**json.loads((folder / "result.json").read_text()), "scores": scores} if scores else None


def table(args, seeds):
    record = RECORDS[args.record]
    lines = [f"## {datetime.date.today()}: {args.record}, seeds {seeds}", "",
             "| task | metric | method | trainable | " + " | ".join(f"seed {s}" for s in seeds) +
             " | mean | minus LoRA, paired | minutes |", "|---|---|---|---|" + "---|" * (len(seeds) + 3)]
    for task, metrics in record.tasks.items():
        for metric in metrics:
            base = [result_of(args, task, "lora", seed) for seed in seeds]
            for method in record.methods:
                lines.append(row(metric, method, [result_of(args, task, method, seed) for seed in seeds], base, task))
    return "\n".join(lines) + "\n"


def row(metric, method, found, base, task):
    done = [r for r in found if r]
    if not done:
        return f"| {task} | {metric} | {method} | |" + " - |" * len(found) + " | | |"
    value = lambda r: r["scores"][metric]
    cells = " | ".join(f"{value(r):.2f}" if r else "-" for r in found)
    paired = "" if method == "lora" else ", ".join(
        f"{value(r) - value(b):+.2f}" for r, b in zip(found, base) if r and b)
    minutes = statistics.mean(r["seconds"] for r in done) / 60
    return (f"| {task} | {metric} | {method} | {done[0]['trainable_parameters']:,} | {cells} | "
            f"{statistics.mean(map(value, done)):.2f} | {paired} | {minutes:.1f} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("record", choices=list(RECORDS))
    parser.add_argument("--mixtune", default="build/mixtune")
    parser.add_argument("--model", default=None, help="default: MiniLM as downloaded for the quickstart")
    parser.add_argument("--data", required=True, help="folder with RTE and CoLA in GLUE's layout, or with E2E")
    parser.add_argument("--runs", default="runs/quality")
    parser.add_argument("--epochs", type=int, default=None, help="default: 3; 1 for e2e")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--parallel", type=int, default=1, help="runs at the same time")
    parser.add_argument("--tasks", nargs="+", default=None)
    parser.add_argument("--output", default=None)
    args = parser.parse_args()
    record = RECORDS[args.record]
    if not (args.model or record.model):
        parser.error(f"{args.record} requires --model")
    tasks = args.tasks or list(record.tasks)
    if unknown := set(tasks) - set(record.tasks):
        parser.error(f"{args.record} has no task {', '.join(sorted(unknown))}; it has {', '.join(record.tasks)}")
    seeds = list(range(args.seeds))
    jobs = [(task, method, seed) for seed in seeds for task in tasks for method in record.methods
            if method not in record.first_seed_only]
    jobs += [(task, method, seeds[0]) for task in tasks for method in record.methods
             if method in record.first_seed_only]
    with concurrent.futures.ThreadPoolExecutor(args.parallel) as pool:
        for done in concurrent.futures.as_completed([pool.submit(one, args, *job) for job in jobs]):
            done.result()
            if args.output:
                pathlib.Path(args.output).write_text(table(args, seeds), encoding="utf8")
    print(table(args, seeds))


if __name__ == "__main__":
    main()
