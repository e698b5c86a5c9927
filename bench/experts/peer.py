"""The Python side of run.py: a decoder trained with peft's LoRA, or with DynMoLE in the manner of the released code.

Batches are padded at the right to their longest sequence; speeds count real tokens. `dynmole` learns every slot of
the batch, padding too, as the released trainer; `dynmole-recompute` recomputes each layer in the backward pass,
which the released trainer always does. `lora` learns the real tokens (--loss all) or those of the completions.
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
    """Each example once, in an order of its own; the left end of a prompt is cut, as mixtune does."""
    import tokenizers

    tokenizer = tokenizers.Tokenizer.from_file(f"{args.model}/tokenizer.json")

    def ids(text):
        return tokenizer.encode(text, add_special_tokens=False).ids

    sequences = []
    for line in open(args.train, encoding="utf8"):
        example = json.loads(line)
        whole = ids(example["prompt"] + example["completion"]) + [end]
        learnt = len(whole) if args.loss == "all" else len(whole) - len(ids(example["prompt"]))
        sequences.append((whole[-args.max_length:], learnt))
    random.Random(0).shuffle(sequences)
    for first in range(0, args.steps * args.batch, args.batch):
        chosen = sequences[first:first + args.batch]
        longest = max(len(whole) for whole, _ in chosen)
        rows = [(whole + [end] * (longest - len(whole)),
                 [1] * len(whole) + [0] * (longest - len(whole)),
                 [IGNORED] * max(0, len(whole) - learnt) + whole[-learnt:] + [IGNORED] * (longest - len(whole)))
                for whole, learnt in chosen]
        yield {key: torch.tensor([row[i] for row in rows])
               for i, key in enumerate(("input_ids", "attention_mask", "labels"))}


def lora(args, model):
    import peft

    config = peft.LoraConfig(task_type="CAUSAL_LM", r=args.rank, lora_alpha=2 * args.rank, lora_dropout=args.dropout,
                             target_modules=args.targets.split(","))
    wrapped = peft.get_peft_model(model, config)
    return wrapped, lambda batch: wrapped(**batch, use_cache=False).loss


def dynmole(args, model):
    import released_dynmole as released

    settings = released.Settings(args.experts, args.rank, alpha=2 * args.rank, dropout=args.dropout)
    sites = released.attach(model, settings)
    if args.method == "dynmole-recompute":
        released.recompute(model)

    def loss_of(batch):
        ids, mask = batch["input_ids"], batch["attention_mask"]
        logits = model(input_ids=ids, attention_mask=mask, use_cache=False).logits
        return released.lm_loss(logits, ids) + released.routing_losses(sites, mask, settings)

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
    parser.add_argument("--targets", default="q_proj,v_proj", help="of lora")
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
