"""Prepares the inputs of both sides of run.py: a LLaMA with random weights, a real tokenizer and real texts.

    python bench/experts/prepare.py --tokenizer TOKENIZER.json --data COMMONSENSE --output FOLDER [sizes]

Writes FOLDER/model (Hugging Face layout), FOLDER/natural/train.jsonl and FOLDER/equal/train.jsonl (prompt,
completion): one example for each that the steps use, so that each is seen once. `equal` contains only texts of at
least the equal length, which both sides truncate to it. Requires torch and transformers.
"""
import argparse
import json
import pathlib
import random
import shutil

FILES = ("ARC-Easy/train.json", "boolq/train.json", "openbookqa/train.json", "piqa/test.json")
END = "<|endoftext|>"


def write_model(args, tokenizer, folder):
    import torch
    import transformers

    torch.manual_seed(0)
    end = tokenizer.token_to_id(args.end)
    if end is None:
        raise SystemExit(f"{args.tokenizer} has no token {args.end}; give its end-of-text token with --end")
    config = transformers.LlamaConfig(
        vocab_size=tokenizer.get_vocab_size(), hidden_size=args.hidden, intermediate_size=args.intermediate,
        num_hidden_layers=args.layers, num_attention_heads=args.heads, num_key_value_heads=args.heads,
        max_position_embeddings=max(512, args.max_length), bos_token_id=end, eos_token_id=end, pad_token_id=end)
    transformers.LlamaForCausalLM(config).save_pretrained(folder)
    shutil.copy(args.tokenizer, folder / "tokenizer.json")
    (folder / "tokenizer_config.json").write_text(json.dumps({"eos_token": args.end}), encoding="utf8")


def read_examples(data):
    """Reads all files and shuffles the examples, so that every prefix of the list contains all tasks."""
    found = []
    for name in FILES:
        for row in json.loads((data / name).read_text(encoding="utf8")):
            prompt = row["instruction"] + ("\n\n" + row["input"] if row["input"] else "") + "\n"
            found.append({"prompt": prompt, "completion": row["output"]})
    random.Random(0).shuffle(found)
    return found


def write_examples(examples, count, folder):
    if len(examples) < count:
        raise SystemExit(f"{folder.name}: {len(examples)} texts are long enough; {count} are required: use fewer steps")
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "train.jsonl", "w", encoding="utf8") as file:
        for example in examples[:count]:
            file.write(json.dumps(example, ensure_ascii=False) + "\n")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tokenizer", required=True, help="a tokenizer.json")
    parser.add_argument("--end", default=END, help="its end-of-text token")
    parser.add_argument("--data", required=True, help="folder with " + ", ".join(FILES))
    parser.add_argument("--output", required=True)
    parser.add_argument("--examples", type=int, required=True)
    parser.add_argument("--max-length", type=int, default=256)
    parser.add_argument("--equal-length", type=int, default=96)
    parser.add_argument("--hidden", type=int, default=512)
    parser.add_argument("--intermediate", type=int, default=1376)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--heads", type=int, default=8)
    args = parser.parse_args()

    import tokenizers

    tokenizer = tokenizers.Tokenizer.from_file(args.tokenizer)
    output = pathlib.Path(args.output)
    write_model(args, tokenizer, output / "model")
    examples = read_examples(pathlib.Path(args.data))
    write_examples(examples, args.examples, output / "natural")
    long = [e for e in examples
            if len(tokenizer.encode(e["prompt"] + e["completion"], add_special_tokens=False).ids) + 1
            >= args.equal_length]
    write_examples(long, args.examples, output / "equal")
    lengths = [min(args.max_length, 1 + len(tokenizer.encode(e["prompt"] + e["completion"]).ids))
               for e in examples[:args.examples]]
    print(json.dumps({"vocabulary": tokenizer.get_vocab_size(), "shortest": min(lengths), "longest": max(lengths),
                      "mean": sum(lengths) / len(lengths)}))


if __name__ == "__main__":
    main()
