#!/bin/bash
# Lives through what an operator and a machine do to the units, and notes what was seen as lines NAME=VALUE in /out/facts.
# It judges nothing: tests/service/test_systemd.py does.
set -uo pipefail
export PATH=/opt/assistant-monitor/bin:$PATH LC_ALL=C.UTF-8
DAEMON=assistant-monitor ENGINE=assistant-monitor-engine
CONFIG=/etc/assistant-monitor/monitor.yaml STATE=/var/lib/assistant-monitor

fact() { printf '%s=%s\n' "$1" "$2" >>/out/facts; }
of() { systemctl show --value --property="$2" "$1"; }
said() { journalctl --unit="$1" --output=cat --no-pager; }

# await SECONDS COMMAND...: until the command succeeds; the fact is missing or wrong when it never does.
await() {
  local end=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    ((SECONDS < end)) || { echo "not in time: $*"; return 1; }
    sleep 0.1
  done
}
is() { [ "$(of "$1" "$2")" = "$3" ]; }
has_said() { said "$1" | grep -q "$2"; }
as_its_user() {
  local uid
  uid=$(stat --format=%u "/proc/$1")
  nsenter --target "$1" --mount setpriv --reuid="$uid" --regid="$uid" --clear-groups --no-new-privs "${@:2}"
}
checks() { python -c "import sqlite3; print(sqlite3.connect('$STATE/monitor.sqlite3').execute('select count(*) from \"check\"').fetchone()[0])"; }

install_as_an_operator_does() {
  ldconfig
  /opt/python/bin/python3 -m venv --without-pip /opt/assistant-monitor
  PYTHONPATH=/opt/dependencies /opt/python/bin/python3 -m pip --quiet --disable-pip-version-check \
    --python /opt/assistant-monitor/bin/python install --no-deps --no-index /opt/wheel/*.whl
  # Only now, lest pip take what is there for an older one.
  echo /opt/dependencies >"$(echo /opt/assistant-monitor/lib/python3*/site-packages)/dependencies.pth"
  mknod -m 666 /dev/nvidia0 c 1 3
  fact verify_said "$(systemd-analyze verify $DAEMON.service $ENGINE.service assistant-monitor-models.service 2>&1)"
}

start_both() {
  systemd-run --quiet --unit=assistant python /opt/assistant.py /out/authorization
  systemctl start assistant-monitor-models
  fact fetched "$(of assistant-monitor-models ExecMainStatus)"
  systemctl enable --quiet $ENGINE
  systemctl start $DAEMON
  fact started $?
  fact engine_is "$(of $ENGINE ActiveState)"
  await 60 has_said $DAEMON 'check_done .*status=healthy' && fact healthy_check yes
}

look_around() {
  local daemon engine
  daemon=$(of $DAEMON MainPID) engine=$(of $ENGINE MainPID)
  fact uid_daemon "$(stat --format=%u "/proc/$daemon")"
  fact uid_engine "$(stat --format=%u "/proc/$engine")"
  fact state_folder "$(stat --format='%u %a' /var/lib/private/assistant-monitor)"
  fact socket_folder "$(stat --format='%u %a' /run/assistant-monitor-engine)"
  fact engine_sees_state "$(as_its_user "$engine" ls $STATE/monitor.sqlite3 2>&1)"
  fact engine_sees_credentials "$(as_its_user "$engine" ls /run/credentials 2>&1)"
  fact daemon_sees_credentials "$(as_its_user "$daemon" sh -c 'cat /run/credentials/*/*' 2>&1)"
  for unit in $DAEMON $ENGINE; do
    # The container has no network but its loopback, so what counts is whose loopback it is.
    if [ "/proc/$(of $unit MainPID)/ns/net" -ef /proc/1/ns/net ]; then fact "network_of_$unit" shared; else fact "network_of_$unit" own; fi
  done
  fact engine_opens_device "$(cat /run/assistant-monitor-engine/device)"
  fact daemon_opens_device "$(cat $STATE/device)"
  for name in PrivateDevices ProcSubset MemoryDenyWriteExecute DevicePolicy DeviceAllow InaccessiblePaths PrivateUsers; do
    fact "engine_$name" "$(of $ENGINE $name | xargs)"
  done
  fact daemon_start_limit "$(of $DAEMON StartLimitIntervalUSec)"
}

# A reload, and a signal that nobody asked systemd for, which ends it in order.
send_unasked_signals() {
  local pid
  pid=$(of $DAEMON MainPID)
  systemctl reload $DAEMON
  await 60 has_said $DAEMON config_unchanged && await 60 is $DAEMON ActiveState active && is $DAEMON MainPID "$pid" &&
    fact reload "read again"
  kill -TERM "$pid"
  await 60 is $DAEMON NRestarts 1
  await 60 is $DAEMON ActiveState active && fact ended_unasked "started again"
  systemctl stop $DAEMON
  systemctl start $DAEMON
}

# A stopped process gives no sign of life, and cannot end itself. The engine is not waited for until it has loaded again:
# it is told to end in the middle.
stop_giving_signs_of_life() {
  kill -STOP "$(of $DAEMON MainPID)"
  await 60 is $DAEMON NRestarts 1
  await 60 is $DAEMON ActiveState active
  kill -STOP "$(of $ENGINE MainPID)"
  await 60 is $ENGINE NRestarts 1
  await 60 is $ENGINE ActiveState activating
  for unit in $DAEMON $ENGINE; do
    await 60 has_said $unit "Failed with result 'watchdog'" && fact "silent_$unit" "killed, then $(of $unit ActiveState)"
  done
  await 60 has_loading_engine
  systemctl stop $DAEMON $ENGINE
  fact engine_ended_while_loading "$(of $ENGINE ExecMainStatus) $(of $ENGINE Result)"
}
has_loading_engine() { of $ENGINE StatusText | grep -q '^loading'; }

stop_and_start_again() {
  local began inode before
  inode=$(stat --format=%i $STATE/monitor.sqlite3)
  began=$(date +%s%N)
  systemctl stop $DAEMON
  fact stop_milliseconds $((($(date +%s%N) - began) / 1000000))
  fact stop_ended "$(of $DAEMON ExecMainStatus) $(of $DAEMON Result)"
  before=$(checks)
  systemctl start $DAEMON
  await 60 eval '[ "$(checks)" -gt '"$before"' ]' && fact checks_go_on yes
  [ "$(stat --format=%i $STATE/monitor.sqlite3)" = "$inode" ] && fact database_is kept
}

# A unit that is going to be started again is `activating (auto-restart)`, not `failed`.
break_the_configuration() {
  cp $CONFIG /out/good.yaml
  sed -i 's/kind: userlm/kind: nonsense/' $CONFIG
  for unit in $DAEMON $ENGINE; do
    systemctl start $unit
    fact "bad_$unit" "$(of $unit ExecMainStatus) $(of $unit ActiveState) $(of $unit NRestarts)"
  done
  cp /out/good.yaml $CONFIG
}

# In place of an engine whose weights are missing, for that takes seconds to say so.
cannot_start() {
  mkdir -p /run/systemd/system/$ENGINE.service.d
  printf '[Service]\nExecStart=\nExecStart=/bin/sh -c "exit 4"\nRestartSec=100ms\n' \
    >/run/systemd/system/$ENGINE.service.d/zz-cannot-start.conf
  systemctl daemon-reload
  systemctl reset-failed $ENGINE
  systemctl start $ENGINE
  await 60 is $ENGINE ActiveState failed
  fact hopeless_engine "$(of $ENGINE ActiveState) $(of $ENGINE NRestarts)"
  rm /run/systemd/system/$ENGINE.service.d/zz-cannot-start.conf
}

engine_as_a_child() {
  systemctl disable --quiet $ENGINE
  sed -i '/servers:/d' $CONFIG
  cp -r /opt/drop-ins/. /etc/systemd/system/
  systemctl daemon-reload
  cp -a /var/cache/private/assistant-monitor/userlm $STATE/userlm
  sed -i "s|/var/cache/assistant-monitor/userlm|$STATE/userlm|" $CONFIG
  systemctl start $DAEMON
  fact child_started "$? $(of $DAEMON ActiveState)"
  fact child_is "$(tr '\0' ' ' <"/proc/$(cat "/proc/$(of $DAEMON MainPID)/task/$(of $DAEMON MainPID)/children" | xargs)/cmdline" | cut -d' ' -f2,3)"
  fact child_opens_device "$(cat $STATE/device)"
  systemctl stop $DAEMON
}

for step in install_as_an_operator_does start_both look_around stop_and_start_again send_unasked_signals \
  stop_giving_signs_of_life break_the_configuration cannot_start engine_as_a_child; do
  echo "== $step ($SECONDS s)"
  $step
done
echo "== end ($SECONDS s)"
journalctl --boot --no-pager >/out/journal
