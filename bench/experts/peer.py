"""The Python side of run.py: trains a decoder with peft's LoRA, or with DynMoLE in the style of the reference code.

Batches are padded on the right to their longest sequence; speeds count real tokens. In `dynmole` the loss covers all
positions of the batch, including padding, as in the reference trainer; `dynmole-recompute` recomputes each layer in
the backward pass, which the reference trainer always does. In `lora` the loss covers the real tokens (--loss all) or
those of the completions.
"""
import argparse
import json
import pathlib
import random
import sys

import torch

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import timed_steps  # noqa: E402

IGNORED = -100


def read_batches(args, end):
    """Each example once, shuffled; prompts are truncated on the left, as in mixtune."""
    import tokenizers

    tokenizer = tokenizers.Tokenizer.from_file(f"{args.model}/tokenizer.json")

    def ids(text):
        return tokenizer.encode(text, add_special_tokens=False).ids

    sequences = []
    for line in open(args.train, encoding="utf8"):
        example = json.loads(line)
        whole = ids(example["prompt"] + example["completion"]) + [end]
        supervised = len(whole) if args.loss == "all" else len(whole) - len(ids(example["prompt"]))
        sequences.append((whole[-args.max_length:], supervised))
    random.Random(0).shuffle(sequences)
    for first in range(0, args.steps * args.batch, args.batch):
        chosen = sequences[first:first + args.batch]
        longest = max(len(whole) for whole, _ in chosen)
        rows = [(whole + [end] * (longest - len(whole)),
                 [1] * len(whole) + [0] * (longest - len(whole)),
                 [IGNORED] * max(0, len(whole) - supervised) + whole[-supervised:] + [IGNORED] * (longest - len(whole)))
                for whole, supervised in chosen]
        yield {key: torch.tensor([row[i] for row in rows])
               for i, key in enumerate(("input_ids", "attention_mask", "labels"))}


def lora(args, model):
    import peft

    config = peft.LoraConfig(task_type="CAUSAL_LM", r=args.rank, lora_alpha=2 * args.rank, lora_dropout=args.dropout,
                             target_modules=args.targets.split(","))
    wrapped = peft.get_peft_model(model, config)
    return wrapped, lambda batch: wrapped(**batch, use_cache=False).loss


def dynmole(args, model):
    import reference_dynmole as reference

    settings = reference.Settings(args.experts, args.rank, alpha=2 * args.rank, dropout=args.dropout)
    sites = reference.attach(model, settings)
    if args.method == "dynmole-recompute":
        reference.recompute(model)

    def loss_of(batch):
        ids, mask = batch["input_ids"], batch["attention_mask"]
        logits = model(input_ids=ids, attention_mask=mask, use_cache=False).logits
        return reference.lm_loss(logits, ids) + reference.routing_losses(sites, mask, settings)

    return model, loss_of


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("method", choices=["lora", "dynmole", "dynmole-recompute"])
    parser.add_argument("--model", required=True)
    parser.add_argument("--train", required=True, help="JSON lines: prompt, completion")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--max-length", type=int, default=256)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--loss", default="all", choices=["all", "completion"])
    parser.add_argument("--rank", type=int, default=8)
    parser.add_argument("--experts", type=int, default=6)
    parser.add_argument("--dropout", type=float, default=0.0)
    parser.add_argument("--targets", default="q_proj,v_proj", help="target modules of lora")
    args = parser.parse_args()

    import transformers

    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    model = transformers.AutoModelForCausalLM.from_pretrained(
        args.model, dtype=torch.float32, attn_implementation="sdpa" if args.method == "lora" else "eager")
    batches = list(read_batches(args, model.config.eos_token_id))
    model, loss_of = (lora if args.method == "lora" else dynmole)(args, model)
    model.train()
    timed_steps.train(batches, loss_of, [p for p in model.parameters() if p.requires_grad], 2e-4)


if __name__ == "__main__":
    main()
