"""Compares LoRA training in mixtune and transformers + peft, alternating, on natural and on equal lengths.

    python bench/training/run.py --mixtune build/mixtune --model .cache/all-MiniLM-L6-v2 --data DIR_OF_RTE \
        --peer-python PYTHON [--rounds 3] [--steps 40] [--output bench/results/training.md]

Requires a Python with torch, transformers and peft for the other side. Both sides: batch 16, LoRA rank 8 on
query and value, the model's own dropout, two threads. Only real tokens are counted, not padding.
"""
import argparse
import pathlib
import statistics
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import side_by_side as sides  # noqa: E402

EQUAL_LENGTH = 64


def equal_lengths(model, source, target, python):
    """A copy of the training file with only the pairs that have at least EQUAL_LENGTH tokens."""
    script = (
        "import sys; from transformers import AutoTokenizer\n"
        "tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])\n"
        "lines = open(sys.argv[2], encoding='utf8').read().split('\\n')\n"
        "kept = [lines[0]]\n"
        "for line in lines[1:]:\n"
        "    fields = line.split('\\t')\n"
        f"    if len(fields) == 4 and len(tokenizer(fields[1], fields[2])['input_ids']) >= {EQUAL_LENGTH}:\n"
        "        kept.append(line)\n"
        "open(sys.argv[3], 'w', encoding='utf8').write('\\n'.join(kept) + '\\n')\n")
    subprocess.run([python, "-c", script, model, str(source), str(target)], check=True,
                   env=sides.quiet(), stderr=subprocess.DEVNULL)


def run_mixtune(args, data, length, method, folder):
    return sides.run_mixtune(args.mixtune, [
        method, "rte", f"model.path={args.model}", f"task.data={data}", f"task.max_length={length}",
        f"train.steps={args.steps}", "train.evaluate_every=1000000", "train.save_every=1000000",
        "train.learning_rate=5e-4", "train.batch_size=16", f"threads={args.threads}"], folder)


def run_peer(args, data, length):
    return sides.run_peer(args.peer_python, HERE / "peer.py", [
        "--model", args.model, "--train", data / "train.tsv", "--steps", args.steps,
        "--max-length", length, "--threads", args.threads])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--mixtune", default="build/mixtune")
    parser.add_argument("--model", default=".cache/all-MiniLM-L6-v2")
    parser.add_argument("--data", required=True)
    parser.add_argument("--peer-python", default=sys.executable)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--output", default=None)
    args = parser.parse_args()

    with tempfile.TemporaryDirectory() as name:
        scratch = pathlib.Path(name)
        equal = scratch / "equal"
        equal.mkdir()
        data = pathlib.Path(args.data)
        equal_lengths(args.model, data / "train.tsv", equal / "train.tsv", args.peer_python)
        (equal / "dev.tsv").write_text((data / "dev.tsv").read_text(encoding="utf8"), encoding="utf8")
        jobs = {
            "mixtune lora, natural": lambda: run_mixtune(args, data, 256, "lora", scratch / "run"),
            "peft lora, natural": lambda: run_peer(args, data, 256),
            "mixtune molex, natural": lambda: run_mixtune(args, data, 256, "molex", scratch / "run"),
            "mixtune lora, equal": lambda: run_mixtune(args, equal, EQUAL_LENGTH, "lora", scratch / "run"),
            "peft lora, equal": lambda: run_peer(args, equal, EQUAL_LENGTH),
        }
        rows = sides.alternate(jobs, args.rounds)

    def memory(job):
        return statistics.median(row["peak_memory_bytes"] for row in rows[job])

    lines = [sides.heading(args.threads), "",
             f"{args.rounds} rounds of {args.steps} steps, alternating; median (all rounds). "
             f"{sides.versions(rows)}.", "",
             *sides.table(rows), ""]
    for title, a, b in (("natural lengths, mixtune over peft", "mixtune lora, natural", "peft lora, natural"),
                        ("equal lengths, mixtune over peft", "mixtune lora, equal", "peft lora, equal"),
                        ("step time of MoLEx over LoRA", "mixtune lora, natural", "mixtune molex, natural")):
        lines.append(sides.ratio_line(title, sides.ratios(rows, "tokens_per_second", a, b)))
    peak = memory("mixtune lora, natural") / memory("peft lora, natural")
    lines.append(f"- peak memory, mixtune over peft: {peak:.2f}")
    sides.publish(lines, args.output)


if __name__ == "__main__":
    main()
