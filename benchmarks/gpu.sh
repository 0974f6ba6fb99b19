#!/usr/bin/env bash
# All that needs a CUDA device, in one run of some minutes: tests, transfers, photos, training steps.
# Its lines belong into docs/performance.md. PYTHON names the environment's Python; .venv's by default.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-.venv/bin/python}
"$python" -c 'import sys, torch; sys.exit(None if torch.cuda.is_available() else "gpu.sh needs a CUDA device, and there is none")'
"$python" -m pytest -q -m gpu
for benchmark in transfer graphs "throughput --count 200 --part 40" "training_step --steps 5"; do
    echo "== $benchmark"
    # shellcheck disable=SC2086 # a name and its options
    set -- $benchmark
    "$python" "benchmarks/$1.py" "${@:2}"
done
