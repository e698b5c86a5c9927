"""LoRA training with transformers + peft on a pair task, padded to the longest of each batch.

The other side of run.py: prints one JSON line with real (non-padding) tokens per second, milliseconds a
step, peak resident memory and versions. Settings are molt's: rank 8, alpha 16, query and value, batch 16,
AdamW 5e-4, clipping at 1, the model's own dropout.
"""
import argparse
import json
import random
import resource
import time


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
    import transformers
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
    optimizer = torch.optim.AdamW(parameters, lr=5e-4, weight_decay=0.0)

    encoded = []
    for step in range(args.steps):
        batch = [examples[(step * args.batch + i) % len(examples)] for i in range(args.batch)]
        features = tokenizer([b[0] for b in batch], [b[1] for b in batch], truncation="longest_first",
                             max_length=args.max_length, padding="longest", return_tensors="pt")
        features["labels"] = torch.tensor([b[2] for b in batch])
        encoded.append(features)
    times, tokens, padded = [], [], []
    for features in encoded:
        start = time.perf_counter()
        loss = model(**features).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        times.append(time.perf_counter() - start)
        tokens.append(int(features["attention_mask"].sum()))
        padded.append(features["attention_mask"].numel())
    seconds = sum(times[2:])  # as molt: without the first two steps
    print(json.dumps({
        "tokens_per_second": sum(tokens[2:]) / seconds,
        "step_ms": 1000 * seconds / (len(times) - 2),
        "full": sum(tokens) / sum(padded),
        "peak_memory_bytes": 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
        "trainable": sum(p.numel() for p in parameters),
        "versions": {"torch": torch.__version__, "transformers": transformers.__version__,
                     "peft": peft.__version__},
    }))


if __name__ == "__main__":
    main()
