#!/usr/bin/env bash
# The golden values of trainer/assess computed anew by scikit-learn, cleanlab and sed_eval; installs them into .work/assessment.
# verify-assessment.sh [--write]: with --write the file is made anew in place of being compared.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/venv.sh assessment scikit-learn==1.9.1 cleanlab==2.9.0 sed_eval==0.2.1
check=--check
[ "${1:-}" = --write ] && check=
.work/assessment/bin/python scripts/reference/assessment_golden.py trainer/testing/assessment-golden.json $check
