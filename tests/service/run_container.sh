#!/usr/bin/env bash
# Builds the Dockerfile as it is and runs its image, without a registry and without Docker's engine.
#
#   run_container.sh build [ARG...]      builds it with these arguments of `buildah build`; prints the image's id
#   run_container.sh podman ARG...       podman, where that image is
#
# Root. Debian: buildah podman runc mmdebstrap. Everything lies under CONTAINER_WORK; what is there is used again.
set -euo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
work=${CONTAINER_WORK:-${XDG_CACHE_HOME:-$HOME/.cache}/assistant-monitor/container}
storage=(--root "$work/storage" --runroot "$work/run" --storage-driver overlay)
engine=(podman "${storage[@]}" --runtime runc --cgroup-manager cgroupfs)
tag=localhost/assistant-monitor:test
base=docker.io/library/python:3.11-slim-bookworm

# Stands in for the image of that name: Debian bookworm with its own Python 3.11.
make_base() {
  if "${engine[@]}" image exists "$base"; then return; fi
  mmdebstrap --quiet --variant=minbase --dpkgopt=force-unsafe-io --aptopt='Acquire::Languages "none"' \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' --include=python3-venv,ca-certificates \
    --customize-hook='ln -sf python3 "$1/usr/bin/python"' bookworm "$work/base.tar"
  "${engine[@]}" import --quiet --change 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' \
    --change 'CMD ["python3"]' "$work/base.tar" "$base" >/dev/null
  rm "$work/base.tar"
}

# How pip reaches the package index from here, for the pip inside.
write_pip_conf() {
  echo '[global]'
  { python3 -m pip config list 2>/dev/null || true; } |
    sed -nE "s/^(global|:env:)\.(cert|index-url|proxy|trusted-host)='(.*)'\$/\2 = \3/p" | awk '!seen[$1]++'
}

build() {
  mkdir -p "$work"
  exec 9>"$work/lock"
  flock 9
  make_base
  write_pip_conf >"$work/pip.conf"
  local before after
  before=$("${engine[@]}" images --quiet --no-trunc "$tag")
  buildah "${storage[@]}" build --layers --pull-never --isolation chroot --network host --format docker \
    --volume "$work/pip.conf:/etc/pip.conf:ro" --volume /etc/ssl/certs:/etc/ssl/certs:ro \
    --tag "$tag" "$@" "$root" >"$work/build.log" 2>&1 || { tail -50 "$work/build.log" >&2; exit 1; }
  after=$("${engine[@]}" images --quiet --no-trunc "$tag")
  # What was built before is not kept, lest the storage grow with every change of the code.
  if [ -n "$before" ] && [ "$before" != "$after" ]; then "${engine[@]}" rmi "$before" >/dev/null 2>&1 || true; fi
  echo "$after"
}

case ${1:-} in
  build) shift; build "$@" ;;
  podman) shift; exec "${engine[@]}" "$@" ;;
  *) sed -n '2,8s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
