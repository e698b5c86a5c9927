"""Compares the speed of mixtune's tokenizer with the `tokenizers` library, one thread each, on the same lines.

    python compare.py --program build/bench_tokenizer --tokenizer tokenizer.json --text corpus.txt

The sides alternate. In each turn a side encodes all lines twice and measures the second pass, so that both have warm
caches. Both store all encodings with offsets. Token counts and checksums of ids and offsets must be equal.
"""
import argparse
import os
import statistics
import subprocess
import sys
import time

os.environ["RAYON_NUM_THREADS"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
import tokenizers  # noqa: E402  (reads the environment)


def checksum(encodings):
    total, tokens = 0, 0
    for encoding in encodings:
        for token, (begin, end) in zip(encoding.ids, encoding.offsets):
            total = (total * 31 + token * 7 + begin * 3 + end) & 0xFFFFFFFF
        tokens += len(encoding.ids)
    return tokens, total


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", required=True, help="the built bench_tokenizer")
    parser.add_argument("--tokenizer", required=True, help="a tokenizer.json")
    parser.add_argument("--text", required=True, help="a text file; each line is one text")
    parser.add_argument("--turns", type=int, default=5)
    options = parser.parse_args()

    reference = tokenizers.Tokenizer.from_file(options.tokenizer)
    reference.no_truncation()
    reference.no_padding()
    # newline="\n": other line ends are not changed, as in the program.
    with open(options.text, encoding="utf-8", errors="replace", newline="\n") as file:
        lines = [line for line in file.read().split("\n") if line]
    size = sum(len(line.encode()) for line in lines) / 1e6

    ours, theirs = [], []
    for turn in range(options.turns):
        run = [options.program, options.tokenizer, options.text, "2"]
        rounds = subprocess.run(run, check=True, capture_output=True, text=True).stdout.splitlines()
        seconds, tokens, total = rounds[-1].split()
        ours.append(size / float(seconds))
        encodings = [reference.encode(line) for line in lines]
        if turn == 0 and (int(tokens), int(total)) != checksum(encodings):
            sys.exit(f"the two sides differ: {tokens} tokens, checksum {total}; reference {checksum(encodings)}")
        del encodings
        start = time.perf_counter()
        encodings = [reference.encode(line) for line in lines]
        theirs.append(size / (time.perf_counter() - start))
        del encodings
        print(f"turn {turn + 1}: mixtune {ours[-1]:.2f} MB/s, tokenizers {theirs[-1]:.2f} MB/s", flush=True)
    mine, other = statistics.median(ours), statistics.median(theirs)
    print(f"tokenizers {tokenizers.__version__}, {len(lines)} lines, {size:.2f} MB, {tokens} tokens, ids and "
          f"offsets equal: mixtune {mine:.2f} MB/s, tokenizers {other:.2f} MB/s, ratio {mine / other:.2f} "
          f"(lowest turn {min(a / b for a, b in zip(ours, theirs)):.2f})")


if __name__ == "__main__":
    main()
