"""The measured loop of the peers' scripts: steps over prepared batches, and the JSON line that run.py reads.

Used only by the Python side. A step is the same as in mixtune: loss, gradients, clipping at 1, AdamW.
"""
import importlib.metadata
import json
import resource
import time

SKIPPED_STEPS = 2  # as in src/train/training.cpp


def train(batches, loss_of, parameters, learning_rate):
    """Runs one step per batch (input_ids, attention_mask, ...); prints the speed in real tokens, and versions."""
    import torch

    optimizer = torch.optim.AdamW(parameters, lr=learning_rate, weight_decay=0.0)
    times, tokens, slots = [], [], []
    for batch in batches:
        start = time.perf_counter()
        loss = loss_of(batch)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        times.append(time.perf_counter() - start)
        tokens.append(int(batch["attention_mask"].sum()))
        slots.append(batch["attention_mask"].numel())
    seconds = sum(times[SKIPPED_STEPS:])
    print(json.dumps({
        "tokens_per_second": sum(tokens[SKIPPED_STEPS:]) / seconds,
        "step_ms": 1000 * seconds / (len(times) - SKIPPED_STEPS),
        "full": sum(tokens) / sum(slots),
        "loss": float(loss.detach()),
        "peak_memory_bytes": 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
        "trainable": sum(p.numel() for p in parameters),
        "versions": {name: importlib.metadata.version(name) for name in ("torch", "transformers", "peft")},
    }))
