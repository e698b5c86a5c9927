"""Compares mixtures of LoRA experts on a decoder: mixtune's methods, transformers + peft, and a per-expert loop.

    python bench/experts/run.py --mixtune build/mixtune --peer-python PYTHON [--output bench/results/experts.md]

    --smoke            tiny sizes, under a minute: checks that everything runs; the results are meaningless
    --groups A B ...   stacked, dynmole, lora, mixlora; default: all
    --rounds 3 --steps 24 --threads 2 --loss all|completion

Within a group the jobs alternate. PYTHON requires torch, transformers and peft, even for groups with only mixtune,
because it creates the model. Every example is seen once, so both sides train on the same tokens.
"""
import argparse
import pathlib
import statistics
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import side_by_side as sides  # noqa: E402

SHARED = HERE.parents[2] / "shared/data"
SMOKE = {"hidden": 64, "intermediate": 176, "layers": 2, "heads": 4, "max_length": 128, "equal_length": 64,
         "steps": 4, "batch": 4, "rounds": 1}
TOTAL_RANK = 64  # of the group stacked, for any number of experts


class Sides:
    """Creates jobs: mixtune or a peer on the texts of natural or equal length."""

    def __init__(self, args, folder):
        self.args, self.folder = args, folder

    def length(self, texts):
        return self.args.equal_length if texts == "equal" else self.args.max_length

    def mixtune(self, method, *overrides, texts="natural"):
        args = self.args
        return lambda: sides.run_mixtune(args.mixtune, [
            method, "instruct", f"model.path={self.folder / 'model'}", f"task.data={self.folder / texts}",
            f"task.max_length={self.length(texts)}", f"task.loss={args.loss}", f"train.steps={args.steps}",
            f"train.batch_size={args.batch}", "train.evaluate_every=never", "train.save_every=never", "device=cpu",
            f"threads={args.threads}", *overrides], self.folder / "run")

    def peer(self, method, *options, texts="natural"):
        args = self.args
        return lambda: sides.run_peer(args.peer_python, HERE / "peer.py", [
            method, "--model", self.folder / "model", "--train", self.folder / texts / "train.jsonl", "--steps",
            args.steps, "--batch", args.batch, "--max-length", self.length(texts), "--loss", args.loss, "--threads",
            args.threads, *options])

    def lora(self, rank, targets, dropout=0.0, texts="natural"):
        return self.mixtune("lora", f"method.r={rank}", f"method.lora_alpha={2 * rank}",
                            f"method.target_modules=[{targets}]", f"method.lora_dropout={dropout}", texts=texts)


def stacked(both):
    """One LoRA, and the same total rank in 2 to 16 experts with one router per linear."""
    counts = (2, 4, 8, 16)
    single = f"mixtune lora, rank {TOTAL_RANK}"
    jobs = {single: both.lora(TOTAL_RANK, "feed-forward")}
    for n in counts:
        jobs[f"mixtune mixture, {n} experts"] = both.mixtune(
            "mixture", "method.target_modules=[feed-forward]", f"method.num_experts={n}", f"method.r={TOTAL_RANK // n}",
            f"method.lora_alpha={2 * TOTAL_RANK // n}")
    ratios = [("8 experts of rank 8 over LoRA of rank 64, step time", "step_ms", "mixtune mixture, 8 experts", single,
               "bar: at most 1.10")]
    ratios += [(f"{n} experts over 2 at equal total rank, step time", "step_ms", f"mixtune mixture, {n} experts",
                "mixtune mixture, 2 experts", "bar: within 0.05 of 1") for n in counts[1:]]
    return jobs, ratios


def dynmole(both):
    """Six experts of rank 8 on gate, up and down; LoRA of rank 48 on the same linears, on both sides."""
    jobs = {
        "mixtune dynmole": both.mixtune("dynmole", "method.num_experts=6", "method.r=8", "method.lora_alpha=16",
                                  "method.target_modules=[feed-forward]", "method.lora_dropout=0.05"),
        "mixtune lora, rank 48": both.lora(48, "feed-forward", dropout=0.05),
        "loop dynmole": both.peer("dynmole", "--dropout", 0.05),
        "loop dynmole, recomputed": both.peer("dynmole-recompute", "--dropout", 0.05),
        "peft lora, rank 48": both.peer("lora", "--rank", 48, "--dropout", 0.05, "--targets",
                                        "gate_proj,up_proj,down_proj"),
    }
    return jobs, [
        ("DynMoLE, mixtune over the loop, real tokens/s", "tokens_per_second", "mixtune dynmole", "loop dynmole",
         "bar: at least 3"),
        ("the same, the loop with recomputation", "tokens_per_second", "mixtune dynmole", "loop dynmole, recomputed",
         "bar: at least 5.5"),
        ("DynMoLE over LoRA of rank 48, step time", "step_ms", "mixtune dynmole", "mixtune lora, rank 48",
         "bar: at most 1.2"),
        ("DynMoLE over LoRA of rank 48, peak memory", "peak_memory_bytes", "mixtune dynmole", "mixtune lora, rank 48",
         "bar: at most 1.15"),
        ("the loop over peft's LoRA of rank 48, step time", "step_ms", "loop dynmole", "peft lora, rank 48",
         "the reference code: 2.0 to 2.6 times a LoRA of rank 48"),
    ]


def lora(both):
    """LoRA of rank 8 on query and value, compared with transformers + peft."""
    jobs = {}
    for texts in ("natural", "equal"):
        jobs[f"mixtune lora, {texts}"] = both.lora(8, "query, value", texts=texts)
        jobs[f"peft lora, {texts}"] = both.peer("lora", texts=texts)
    return jobs, [(f"LoRA, mixtune over peft, {texts} lengths, real tokens/s", "tokens_per_second",
                   f"mixtune lora, {texts}", f"peft lora, {texts}", f"bar: at least {bar}")
                  for texts, bar in (("equal", 1.1), ("natural", 1.8))]


def mixlora(both):
    """MixLoRA with its recipe (8 experts, top-2, rank 16, also on attention), and LoRA on the same linears."""
    jobs = {"mixtune mixlora, rank 16": both.mixtune("mixlora"),
            "mixtune lora, rank 16": both.lora(16, "all-linear", dropout=0.05)}
    return jobs, [("MixLoRA over LoRA of the same rank, step time", "step_ms", "mixtune mixlora, rank 16",
                   "mixtune lora, rank 16", "bar: at most 2.0")]


GROUPS = {"stacked": stacked, "dynmole": dynmole, "lora": lora, "mixlora": mixlora}


def prepare(args, folder):
    out = sides.run_peer(args.peer_python, HERE / "prepare.py", [
        "--tokenizer", args.tokenizer, "--end", args.end, "--data", args.data, "--output", folder, "--examples",
        args.steps * args.batch, "--max-length", args.max_length, "--equal-length", args.equal_length, "--hidden",
        args.hidden, "--intermediate", args.intermediate, "--layers", args.layers, "--heads", args.heads])
    return (f"LLaMA shape: hidden {args.hidden}, {args.layers} layers, intermediate {args.intermediate}, "
            f"{args.heads} heads, vocabulary {out['vocabulary']}. Natural texts: {out['shortest']} to "
            f"{out['longest']} tokens, mean {out['mean']:.0f}; equal ones: {args.equal_length}. Batches of "
            f"{args.batch}; supervised: {args.loss} tokens.")


def settings():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mixtune", default="build/mixtune")
    parser.add_argument("--peer-python", default=sys.executable)
    parser.add_argument("--data", default=SHARED / "commonsense")
    parser.add_argument("--tokenizer", default=SHARED / "tokenizers/torchtune-tiny/tiny_bpe_tokenizer.json")
    parser.add_argument("--end", default="<|endoftext|>", help="the tokenizer's end-of-text token")
    parser.add_argument("--groups", nargs="+", default=list(GROUPS), choices=list(GROUPS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=24)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--loss", default="all", choices=["all", "completion"])
    parser.add_argument("--max-length", type=int, default=256)
    parser.add_argument("--equal-length", type=int, default=96)
    for name, size in (("hidden", 512), ("intermediate", 1376), ("layers", 4), ("heads", 8)):
        parser.add_argument(f"--{name}", type=int, default=size)
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument("--output", default=None)
    args = parser.parse_args()
    if args.smoke:
        if args.output:
            parser.error("results of --smoke are meaningless; remove --output")
        for name, value in SMOKE.items():
            setattr(args, name, value)
    if args.steps <= sides.SKIPPED_STEPS:
        parser.error(f"--steps is {args.steps}; the first {sides.SKIPPED_STEPS} are not counted")
    return args


def main():
    args = settings()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        both = Sides(args, folder)
        described = prepare(args, folder)
        rows, lines = {}, []
        for group in args.groups:
            jobs, ratios = GROUPS[group](both)
            found = sides.alternate(jobs, args.rounds)
            rows.update(found)
            lines += [sides.ratio_line(title, sides.ratios(found, field, above, below), bar)
                      for title, field, above, below, bar in ratios]
    slots = [row["full"] for row in rows.get("loop dynmole", [])]
    padding = f" Padded batches of the loop are {100 * statistics.median(slots):.0f} % full." if slots else ""
    sides.publish([sides.heading(args.threads), "",
                   f"{args.rounds} rounds of {args.steps} steps; median (all rounds). {sides.versions(rows)}.", "",
                   described + padding, "", *sides.table(rows), "", *lines], args.output)


if __name__ == "__main__":
    main()
