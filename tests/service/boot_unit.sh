#!/bin/bash
# Boots a real systemd, PID 1 of a systemd-nspawn container on an overlay of this machine's root, and runs a script in it.
# All that is written goes to memory and is gone afterwards: services, units and files of this machine stay as they are.
# The container has a loopback of its own and no other network. Limits on memory and devices are not enforced in it.
#
# usage: boot_unit.sh FOLDER
#   FOLDER/root/       is laid over the root
#   FOLDER/inside.sh   is run as root in the container; what it says is FOLDER/out/log, and FOLDER/out is /out
#   FOLDER/seen        lines SOURCE:TARGET: folders of this machine that are seen there, read-only
# Needs: root, systemd-nspawn (Debian: systemd-container), the kernel's overlayfs, cgroup v2 mounted somewhere.
set -euo pipefail
export FOLDER CGROUP
FOLDER=$(readlink -f "$1")
mkdir -p "$FOLDER/out" "$FOLDER/overlay"

# systemd wants a cgroup that is its own.
CGROUP=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)/assistant-monitor-test-$$
mkdir "$CGROUP"
trap 'find "$CGROUP" -depth -type d -exec rmdir {} + 2>/dev/null || true' EXIT

container() {
  echo $BASHPID >"$CGROUP/cgroup.procs"
  # nspawn wants a pure v2 tree; this mount is seen in here only.
  umount --recursive --lazy /sys/fs/cgroup
  mount -t cgroup2 cgroup2 /sys/fs/cgroup
  mount -t tmpfs tmpfs /run
  mount -t tmpfs tmpfs "$FOLDER/overlay"
  cd "$FOLDER/overlay"
  mkdir upper work root
  mount -t overlay overlay -o lowerdir=/,upperdir=upper,workdir=work root
  cp -a --no-preserve=ownership "$FOLDER/root/." root/
  install -m 755 "$FOLDER/inside.sh" root/opt/inside.sh
  units root/etc/systemd/system
  binds=(--bind="$FOLDER/out:/out")
  while read -r line; do binds+=(--bind-ro="$line"); done <"$FOLDER/seen"
  exec timeout --kill-after=5 240 systemd-nspawn --quiet --directory=root --boot --register=no --keep-unit \
    --private-network --link-journal=no --resolv-conf=off --timezone=off --machine=assistant-monitor-test \
    "${binds[@]}" systemd.unit=inside.target
}

# Nothing of this machine's own services is started: only what every system has, and the script.
units() {
  cat >"$1/inside.target" <<'UNIT'
[Unit]
Requires=sysinit.target dbus.socket
After=sysinit.target dbus.socket
Wants=inside.service
AllowIsolate=yes
UNIT
  cat >"$1/inside.service" <<'UNIT'
[Unit]
After=inside.target
SuccessAction=poweroff-force
FailureAction=poweroff-force
[Service]
Type=oneshot
StandardOutput=append:/out/log
StandardError=append:/out/log
ExecStart=/opt/inside.sh
UNIT
}

export -f container units
if ! unshare --mount --propagation private bash -euo pipefail -c container </dev/null >"$FOLDER/out/console" 2>&1; then
  tail -5 "$FOLDER/out/console" >&2
  exit 1
fi
