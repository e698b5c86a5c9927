"""Checks that the loop of reference_dynmole.py computes what the reference trainer computes.

    python bench/experts/check_loop.py [../shared/golden/lora_experts/model_dynmole]

The golden case contains a two-layer LLaMA, a padded batch, and the losses, gradients and five AdamW steps of the
reference code. Checked with and without recomputation; requires torch, transformers and safetensors.
"""
import json
import pathlib
import sys

import safetensors.torch
import torch
import transformers

import reference_dynmole as reference

CASE = pathlib.Path(__file__).resolve().parents[3] / "shared/golden/lora_experts/model_dynmole"
EXPERTS, RANK, ALPHA = 6, 4, 8.0


def build(case, tensors):
    config = transformers.LlamaConfig(**case["config"]["model"], attn_implementation="eager")
    model = transformers.LlamaForCausalLM(config)
    model.load_state_dict({name[5:]: value for name, value in tensors.items() if name.startswith("base.")})
    settings = reference.Settings(EXPERTS, RANK, ALPHA, dropout=0.0)
    sites = reference.attach(model, settings)
    parameters = {}
    for number, layer in enumerate(model.model.layers):
        for linear in ("gate_proj", "up_proj", "down_proj"):
            site, prefix = getattr(layer.mlp, linear), f"dynmole.layers.{number}.mlp.{linear}."
            parameters[prefix + "moe_gate.weight"] = site.router
            for i in range(EXPERTS):
                parameters[prefix + f"experts.{i}.lora_A.weight"] = site.down[i]
                parameters[prefix + f"experts.{i}.lora_B.weight"] = site.up[i]
    with torch.no_grad():
        for name, parameter in parameters.items():
            parameter.copy_(tensors["adapter." + name])
    model.train()
    return model, settings, sites, parameters


def check(case, tensors, recomputes):
    model, settings, sites, parameters = build(case, tensors)
    if recomputes:
        reference.recompute(model)
    ids, mask = tensors["padded.tokens"].long(), tensors["padded.attention_mask"].long()
    optimizer = torch.optim.AdamW(parameters.values(), lr=1e-3, weight_decay=0.01)
    loss_error = gradient_error = 0.0
    for step, expected in enumerate(case["scalars"]["ref.curve_total"]):
        logits = model(input_ids=ids, attention_mask=mask, use_cache=False).logits
        loss = reference.lm_loss(logits, ids) + reference.routing_losses(sites, mask, settings)
        loss.backward()
        loss_error = max(loss_error, abs(loss.item() - expected))
        if step == 0:
            for name, parameter in parameters.items():
                golden = tensors["ref.grad." + name]
                error = (parameter.grad - golden).abs().max() / golden.abs().max()
                gradient_error = max(gradient_error, error.item())
        optimizer.step()
        optimizer.zero_grad()
    print(f"{'with' if recomputes else 'without'} recomputation: largest error of a loss {loss_error:.1e}, "
          f"of a gradient {gradient_error:.1e} of its largest entry ({len(parameters)} tensors)")
    tolerances = case["tolerances"]
    return loss_error <= tolerances["loss_abs"] and gradient_error <= tolerances["grad_rel_max"]


def main():
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else CASE
    case = json.loads((folder / "case.json").read_text(encoding="utf8"))
    tensors = safetensors.torch.load_file(folder / "tensors.safetensors")
    if not all([check(case, tensors, recomputes) for recomputes in (False, True)]):
        raise SystemExit("the loop differs from the reference code")


if __name__ == "__main__":
    main()
