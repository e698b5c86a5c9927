"""LoRA training with transformers + peft on a pair task, padded to the longest sequence of each batch.

The other side of run.py: prints one JSON line with real (non-padding) tokens per second, milliseconds per
step, peak resident memory and versions. Settings are those of mixtune: rank 8, alpha 16, query and value,
batch 16, AdamW 5e-4, clipping at 1, the model's own dropout.
"""
import argparse
import pathlib
import random
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import timed_steps  # noqa: E402


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True)
    parser.add_argument("--train", required=True, help="TSV: index, sentence1, sentence2, label")
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--max-length", type=int, default=256)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()

    import peft
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    random.seed(0)
    tokenizer = AutoTokenizer.from_pretrained(args.model)
    model = AutoModelForSequenceClassification.from_pretrained(args.model, num_labels=2)
    config = peft.LoraConfig(task_type="SEQ_CLS", r=8, lora_alpha=16, target_modules=["query", "value"])
    model = peft.get_peft_model(model, config)
    model.train()
    rows = [line.rstrip("\n").split("\t") for line in open(args.train, encoding="utf8")][1:]
    names = {"entailment": 0, "not_entailment": 1}
    examples = [(r[1], r[2], names[r[3]]) for r in rows]
    random.shuffle(examples)
    parameters = [p for p in model.parameters() if p.requires_grad]

    encoded = []
    for step in range(args.steps):
        batch = [examples[(step * args.batch + i) % len(examples)] for i in range(args.batch)]
        features = tokenizer([b[0] for b in batch], [b[1] for b in batch], truncation="longest_first",
                             max_length=args.max_length, padding="longest", return_tensors="pt")
        features["labels"] = torch.tensor([b[2] for b in batch])
        encoded.append(features)
    timed_steps.train(encoded, lambda features: model(**features).loss, parameters, 5e-4)


if __name__ == "__main__":
    main()
