#!/bin/sh
# Makes the model of plan.json in {{model}}: random weights, for measuring and for training.
# Further options go to vlm-planner build: --weights pretrained, --dtype (else the precision of the plan), --device,
# --seed.
# The plan itself was made by:
#   {{command}}
set -eu
cd "$(dirname "$0")"
{{build}} "$@"
