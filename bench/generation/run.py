"""Compares mixtune generate with transformers' generate, alternating, on one model with random weights.

    python bench/generation/run.py --data DIR_OF_E2E --peer-python PYTHON [--mixtune build/mixtune] [--rounds 3] \
        [--outputs SYSTEM_OUTPUTS --references REFERENCES] [--output bench/results/generation.md]

Requires a Python with torch and transformers for the other side, and E2E's pairs for the prompts, the tokenizer and
two adapters that are trained for two steps (their speed does not depend on the training). The model has the shape of
recipes/pretrain/tiny-gpt2 and bf16 weight values; both sides compute in float. Times cover only generation, without
loading, on both sides. Every text has the maximum number of new tokens, because end tokens are suppressed.
"""
import argparse
import json
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import side_by_side as sides  # noqa: E402

END = "<|endoftext|>"


def prepare(args, scratch):
    """Creates the tokenizer, the model, the prompts, and runs of the methods."""
    config = HERE.parents[1] / "recipes" / "pretrain" / "tiny-gpt2" / "config.json"
    pairs = pathlib.Path(args.data) / "pairs"
    pairs = pairs if pairs.exists() else pathlib.Path(args.data)
    model = scratch / "model"
    subprocess.run([args.peer_python, HERE / "peer.py", "--model", model, "--make", config], check=True,
                   env=sides.quiet(), stderr=subprocess.DEVNULL)
    subprocess.run([args.mixtune, "tokenizer", "train", "--input", pairs / "train.txt", "--vocab-size", "4096",
                    "--output", scratch / "tokenizer"], check=True, stdout=subprocess.DEVNULL)
    (model / "tokenizer.json").write_bytes((scratch / "tokenizer" / "tokenizer.json").read_bytes())
    meanings = sorted({line.split("||")[0] for line in open(pairs / "test.txt", encoding="utf8")})
    # From the shortest to the longest, so that the lengths of a batch differ.
    meanings = sorted(meanings, key=len)[:: max(1, len(meanings) // 16)][:16]
    for name, some in (("one", meanings[8:9] * 4), ("mixed", meanings * 2), ("beams", meanings[4:12:4])):
        lines = [json.dumps({"prompt": meaning + END}) for meaning in some]
        (scratch / f"{name}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf8")
    for method, more in (("lora", []), ("molex", ["method.layers_to_transform=all"])):
        subprocess.run([args.mixtune, "train", f"e2e/small-{method}", f"model.path={model}", f"task.data={args.data}",
                        "train.steps=2", "task.limit_train=64", "task.limit_dev=8", f"threads={args.threads}", *more,
                        "--output", scratch / method], check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
    for dtype in ("bf16", "f32"):
        subprocess.run([args.mixtune, "export", scratch / "lora", "--to", "transformers", "--dtype", dtype, "--output",
                        scratch / f"merged-{dtype}"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def generate(args, scratch, source, prompts, batch=1, beams=1):
    """Runs `mixtune generate` and returns the speed that it prints."""
    out = subprocess.run(
        [args.mixtune, "generate", scratch / source, "--input", scratch / f"{prompts}.jsonl", "--output",
         scratch / "texts.jsonl", "--overwrite", "--max-new-tokens", str(args.tokens), "--min-new-tokens",
         str(args.tokens), "--batch-size", str(batch), "--num-beams", str(beams), "--threads", str(args.threads)],
        check=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    tokens, seconds = re.search(r"(\d+) tokens in ([0-9.]+) s", out.stderr).groups()
    return {"tokens_per_second": int(tokens) / float(seconds), "tokens": int(tokens)}


def peer(args, scratch, prompts, batch=1, beams=1):
    return sides.run_peer(args.peer_python, HERE / "peer.py", [
        "--model", scratch / "model", "--prompts", scratch / f"{prompts}.jsonl", "--batch", batch, "--beams", beams,
        "--tokens", args.tokens, "--threads", args.threads])


def score(args):
    """Wall time of the whole program in seconds."""
    begin = time.perf_counter()
    subprocess.run([args.mixtune, "score", "e2e", "--references", args.references, "--outputs", args.outputs],
                   check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begin


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--mixtune", default="build/mixtune")
    parser.add_argument("--data", required=True)
    parser.add_argument("--references", default=None)
    parser.add_argument("--outputs", default=None)
    parser.add_argument("--peer-python", default=sys.executable)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--output", default=None)
    args = parser.parse_args()

    with tempfile.TemporaryDirectory() as name:
        scratch = pathlib.Path(name)
        prepare(args, scratch)
        jobs = {
            "mixtune, one prompt": lambda: generate(args, scratch, "model", "one"),
            "transformers, one prompt": lambda: peer(args, scratch, "one"),
            "mixtune, 16 prompts": lambda: generate(args, scratch, "model", "mixed", batch=16),
            "transformers, 16 prompts": lambda: peer(args, scratch, "mixed", batch=16),
            "mixtune, beam 10": lambda: generate(args, scratch, "model", "beams", beams=10),
            "transformers, beam 10": lambda: peer(args, scratch, "beams", beams=10),
            "mixtune lora, one prompt": lambda: generate(args, scratch, "lora", "one"),
            "mixtune molex, one prompt": lambda: generate(args, scratch, "molex", "one"),
            "mixtune lora merged in bf16, one prompt": lambda: generate(args, scratch, "merged-bf16", "one"),
            "mixtune lora merged in f32, one prompt": lambda: generate(args, scratch, "merged-f32", "one"),
        }
        rows = sides.alternate(jobs, args.rounds)
    seconds = [score(args) for _ in range(args.rounds)] if args.outputs else []

    lines = [sides.heading(args.threads), "",
             f"{args.rounds} rounds, {args.tokens} new tokens per text, alternating; median (all rounds). "
             f"{sides.versions(rows)}.", "", "| job | new tokens/s |", "|---|---|"]
    for job, of_job in rows.items():
        speeds = [row["tokens_per_second"] for row in of_job]
        lines.append(f"| {job} | {statistics.median(speeds):.0f} ({', '.join(f'{s:.0f}' for s in speeds)}) |")
    lines.append("")
    for title, a, b, bar in (
            ("one greedy prompt, mixtune over transformers", "mixtune, one prompt", "transformers, one prompt",
             "at least 3"),
            ("16 prompts of mixed lengths, mixtune over transformers", "mixtune, 16 prompts",
             "transformers, 16 prompts", "at least 2"),
            ("beam 10, mixtune over transformers", "mixtune, beam 10", "transformers, beam 10", "at least 3"),
            ("time of a token, MoLEx over LoRA", "mixtune lora, one prompt", "mixtune molex, one prompt",
             "at most 2.2"),
            ("time of a token, LoRA merged in bf16 over the base", "mixtune, one prompt",
             "mixtune lora merged in bf16, one prompt", "about 1"),
            ("time of a token, LoRA merged in f32 over the base, whose weights are bf16", "mixtune, one prompt",
             "mixtune lora merged in f32, one prompt", "about 1")):
        lines.append(sides.ratio_line(title, sides.ratios(rows, "tokens_per_second", a, b), bar))
    if seconds:
        lines.append(f"- mixtune score e2e: {statistics.median(seconds):.2f} s "
                     f"(rounds {', '.join(f'{s:.2f}' for s in seconds)}); under 2 s")
    sides.publish(lines, args.output)


if __name__ == "__main__":
    main()
