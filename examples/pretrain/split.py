"""Splits texts for training and for perplexity: the last 1 % of each file, from the start of a paragraph, is held out.

    python3 examples/pretrain/split.py --output DATA TEXT...

Writes DATA/train.txt and DATA/dev.txt, with the files in the given order.
"""
import argparse
import pathlib


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("texts", nargs="+", type=pathlib.Path)
    parser.add_argument("--output", required=True, type=pathlib.Path)
    args = parser.parse_args()
    args.output.mkdir(parents=True, exist_ok=True)
    with (args.output / "train.txt").open("w", encoding="utf8") as train, \
            (args.output / "dev.txt").open("w", encoding="utf8") as dev:
        for path in args.texts:
            text = path.read_text(encoding="utf8")
            cut = text.rfind("\n\n", 0, len(text) * 99 // 100)
            if cut < 0:
                parser.error(f"{path} has no empty line in its first 99 %; cannot split it")
            train.write(text[:cut].strip() + "\n\n")
            dev.write(text[cut:].strip() + "\n\n")


if __name__ == "__main__":
    main()
