#!/usr/bin/env bash
# Builds the images and writes credentials and keys into FOLDER (default ./.proctor) for the compose file.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
folder="$(realpath -m "${1:-.proctor}")"
mkdir -p "$folder"
docker compose build
docker run --rm --network none --user "$(id -u):$(id -g)" --volume "$folder:/home-of-proctor" \
    proctor/service:0.1.0 python -m proctor_backend.local.compose prepare /home-of-proctor
{ echo "PROCTOR_HOME=$folder"; cat "$folder/user.env"; } > .env
chmod 600 .env
echo "Prepared $folder. Start with: docker compose up --detach --wait"
