"""Generation with transformers: the other side of run.py.

Prints one JSON line with new tokens per second, the number of tokens and versions. With --make it instead creates a
GPT-2 with random weights, the model of both sides.
"""
import argparse
import json
import sys
import time


def make(args):
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(0)
    config = GPT2Config(**json.load(open(args.make, encoding="utf8")))
    config.bos_token_id = config.eos_token_id = 0
    model = GPT2LMHeadModel(config)
    for weight in model.parameters():  # bf16 values, as in published models
        weight.data = weight.data.bfloat16().float()
    model.save_pretrained(args.model)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True)
    parser.add_argument("--make", default=None, help="a config.json")
    parser.add_argument("--prompts", default=None, help="JSON lines with prompt")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--beams", type=int, default=1)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    if args.make:
        return make(args)

    import torch
    import transformers
    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch.set_num_threads(args.threads)
    tokenizer = AutoTokenizer.from_pretrained(args.model, padding_side="left")
    tokenizer.pad_token = tokenizer.eos_token
    model = AutoModelForCausalLM.from_pretrained(args.model, dtype=torch.float32).eval()
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    prompts = [json.loads(line)["prompt"] for line in open(args.prompts, encoding="utf8")]
    tokens = 0
    with torch.inference_mode():
        begin = time.perf_counter()
        for first in range(0, len(prompts), args.batch):
            batch = tokenizer(prompts[first:first + args.batch], return_tensors="pt", padding=True)
            # Every text has the maximum number of tokens, as on the other side.
            out = model.generate(**batch, max_new_tokens=args.tokens, min_new_tokens=args.tokens,
                                 num_beams=args.beams, do_sample=False, use_cache=True)
            tokens += (out.shape[1] - batch["input_ids"].shape[1]) * out.shape[0]
        seconds = time.perf_counter() - begin
    print(json.dumps({"tokens_per_second": tokens / seconds, "tokens": tokens,
                      "versions": {"torch": torch.__version__, "transformers": transformers.__version__}}))


if __name__ == "__main__":
    sys.exit(main())
