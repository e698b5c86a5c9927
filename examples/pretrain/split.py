"""Texts for training and for perplexity: the last hundredth of each file, from a paragraph's beginning on, is held out.

    python3 examples/pretrain/split.py --output DATA TEXT...

writes DATA/train.txt and DATA/dev.txt, the files in the order in which they are named.
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
                parser.error(f"{path} has no empty line in its first 99 %: nothing to cut it at")
            train.write(text[:cut].strip() + "\n\n")
            dev.write(text[cut:].strip() + "\n\n")


if __name__ == "__main__":
    main()
