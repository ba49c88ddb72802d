#!/bin/sh
# All that is to be measured on a GPU, in one command of under nine minutes: see gpu_errands.py.
#
#   benchmarks/gpu_errands.sh                  # on a machine with a GPU; called again, it goes on with what is missing
#   benchmarks/gpu_errands.sh --small          # whether every part runs, on a CPU, in minutes
cd "$(dirname "$0")/.." && exec "${PYTHON:-python3}" benchmarks/gpu_errands.py "$@"
