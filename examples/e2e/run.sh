#!/usr/bin/env bash
# LoRA and MoLEx on the included pairs of the E2E challenge: trains, generates a text for each of the 60 test meanings,
# and scores them. MIXTUNE: the program; RUNS: folder of the two runs. Arguments are settings of both trainings, such as
# train.steps=20
set -euo pipefail
cd "$(dirname "$0")/../.."
mixtune=${MIXTUNE:-build/mixtune}
runs=${RUNS:-runs/e2e-example}

for method in lora molex; do
  "$mixtune" train "e2e/small-$method" task.data=examples/e2e "$@" --output "$runs/$method" --overwrite
  "$mixtune" generate "$runs/$method" --output "$runs/$method/texts.jsonl" --overwrite \
    --num-beams 4 --length-penalty 0.9 --no-repeat-ngram-size 4
done
for method in lora molex; do
  echo "$method"
  "$mixtune" score e2e --references examples/e2e/pairs/test.txt --outputs "$runs/$method/texts.txt"
done
