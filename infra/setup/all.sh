#!/usr/bin/env bash
# Installs everything that the demo and the tests need; at once done when nothing changed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
infra/setup/debian.sh
infra/setup/python.sh
