"""LoRA training side by side: molt and transformers + peft, alternating, on real lengths and on equal ones.

    python bench/training/run.py --molt build/molt --model .cache/all-MiniLM-L6-v2 --data DIR_OF_RTE \
        --peer-python PYTHON [--rounds 3] [--steps 40] [--output bench/results/training.md]

Needs: a Python with torch, transformers and peft for the other side. Both sides: batch 16, LoRA rank 8 on
query and value, the model's own dropout, two threads. Tokens are real ones: padding does not count.
"""
import argparse
import datetime
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
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
                   env=quiet(), stderr=subprocess.DEVNULL)


def quiet():
    return {**os.environ, "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}


def run_molt(args, data, length, method, folder):
    subprocess.run(
        [args.molt, "train", method, "rte", f"model.path={args.model}", f"task.data={data}",
         f"task.max_length={length}", f"train.steps={args.steps}", "train.evaluate_every=1000000",
         "train.save_every=1000000", "train.learning_rate=5e-4", "train.batch_size=16",
         f"threads={args.threads}", "--output", str(folder), "--overwrite"],
        check=True, stdout=subprocess.DEVNULL)
    result = json.loads((folder / "result.json").read_text())
    return {"tokens_per_second": result["tokens_per_second"],
            "peak_memory_bytes": result["peak_memory_bytes"]}


def run_peer(args, data, length):
    out = subprocess.run(
        [args.peer_python, str(HERE / "peer.py"), "--model", args.model, "--train",
         str(data / "train.tsv"), "--steps", str(args.steps), "--max-length", str(length),
         "--threads", str(args.threads)],
        check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=quiet(), text=True)
    return json.loads(out.stdout.strip().split("\n")[-1])


def processor():
    for line in open("/proc/cpuinfo", encoding="utf8"):
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--molt", default="build/molt")
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
            "molt lora, natural": lambda: run_molt(args, data, 256, "lora", scratch / "run"),
            "peft lora, natural": lambda: run_peer(args, data, 256),
            "molt molex, natural": lambda: run_molt(args, data, 256, "molex", scratch / "run"),
            "molt lora, equal": lambda: run_molt(args, equal, EQUAL_LENGTH, "lora", scratch / "run"),
            "peft lora, equal": lambda: run_peer(args, equal, EQUAL_LENGTH),
        }
        rows = {key: [] for key in jobs}
        for round_number in range(args.rounds):
            for key, job in jobs.items():
                rows[key].append(job())
                print(f"round {round_number + 1}: {key}: {rows[key][-1]['tokens_per_second']:.0f} tokens/s",
                      flush=True)

    def middle(key, field="tokens_per_second"):
        return statistics.median(row[field] for row in rows[key])

    def ratios(a, b):
        return [x["tokens_per_second"] / y["tokens_per_second"] for x, y in zip(rows[a], rows[b])]

    lines = [f"## {datetime.date.today()}: {processor()}, {args.threads} threads", "",
             f"{args.rounds} rounds of {args.steps} steps, alternating; median (all rounds). "
             f"{json.dumps(rows['peft lora, natural'][0]['versions'])}", "",
             "| job | real tokens/s | peak memory, MB |", "|---|---|---|"]
    for key in jobs:
        every = ", ".join(f"{row['tokens_per_second']:.0f}" for row in rows[key])
        lines.append(f"| {key} | {middle(key):.0f} ({every}) | {middle(key, 'peak_memory_bytes') / 1e6:.0f} |")
    lines.append("")
    for title, a, b in (("natural lengths, molt over peft", "molt lora, natural", "peft lora, natural"),
                        ("equal lengths, molt over peft", "molt lora, equal", "peft lora, equal"),
                        ("step time of MoLEx over LoRA", "molt lora, natural", "molt molex, natural")):
        values = ratios(a, b)
        lines.append(f"- {title}: {statistics.median(values):.2f} (rounds {', '.join(f'{v:.2f}' for v in values)})")
    memory = middle("molt lora, natural", "peak_memory_bytes") / middle("peft lora, natural", "peak_memory_bytes")
    lines.append(f"- peak memory, molt over peft: {memory:.2f}")
    text = "\n".join(lines) + "\n"
    print(text)
    if args.output:
        with open(args.output, "a", encoding="utf8") as file:
            file.write("\n" + text)


if __name__ == "__main__":
    main()
