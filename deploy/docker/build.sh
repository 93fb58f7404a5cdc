#!/usr/bin/env bash
# build.sh DIRECTORY: the image as buildah builds it, without a daemon or a registry of images: its base is made by
# debootstrap. DIRECTORY/root is then its root file system. Needs root, and from Debian: buildah, debootstrap.
set -euo pipefail
repository=$(cd "$(dirname "$0")/../.." && pwd)
mkdir -p "$1"
directory=$(cd "$1" && pwd)
suite=bookworm
export STORAGE_DRIVER=vfs
storage=(--root "$directory/storage" --runroot "$directory/run")
policy="$directory/policy.json"
echo '{"default": [{"type": "insecureAcceptAnything"}]}' >"$policy"

if [ ! -e "$directory/base.done" ]; then
  rm -rf "$directory/base"
  debootstrap --variant=minbase "$suite" "$directory/base" >"$directory/debootstrap.log"
  rm -rf "$directory"/base/var/cache/apt/archives/*.deb "$directory"/base/var/lib/apt/lists/*
  container=$(buildah "${storage[@]}" from scratch)
  buildah "${storage[@]}" add --quiet "$container" "$directory/base" / >/dev/null
  buildah "${storage[@]}" commit --quiet --rm --signature-policy "$policy" "$container" pregao-base:"$suite" >/dev/null
  rm -rf "$directory/base"
  touch "$directory/base.done"
fi

# Certificates of this machine are mounted while it is built: a registry's may not be those of everybody.
buildah "${storage[@]}" build --layers --isolation chroot --format docker --pull-never --signature-policy "$policy" \
  --build-arg BASE=localhost/pregao-base:"$suite" --build-arg PIP_CERT=/build/ca.crt \
  --volume /etc/ssl/certs/ca-certificates.crt:/build/ca.crt:ro \
  --ignorefile "$repository/.dockerignore" --file "$repository/deploy/docker/Dockerfile" \
  --tag pregao:local "$repository"

container=$(buildah "${storage[@]}" from --pull-never --signature-policy "$policy" pregao:local)
rm -rf "$directory/root"
cp -a --reflink=auto "$(buildah "${storage[@]}" mount "$container")" "$directory/root"
buildah "${storage[@]}" rm "$container" >/dev/null
