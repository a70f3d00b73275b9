"""The few lines of shell around a job's command when an agent runs beside it.

They wait until the workspace is ready, run the command so that signals reach it, and tell the agent
of its end. POSIX sh; called as `sh -c WRAPPER cijob GRACE FOLDER COMMAND…`. Tried with dash, bash
and busybox. It never gives up by itself before ready: the operator knows why the agent failed.

Each line is there for a failure that was seen:
- PID 1 has no default signal actions: without a trap a waiting wrapper ignores TERM. QUIT and INT
  are what images with a STOPSIGNAL of their own are stopped by.
- Some images' `sleep` takes whole seconds only. Looking for the ready file is quick at first, since
  most sources are there at once, and cheap later.
- A command started in the background has INT and QUIT ignored, so a Python job never sees
  KeyboardInterrupt: `env --default-signal` gives them back where it exists, `trap -` does in bash.
  `env` takes a command with `=` in its name for a variable, so such a command goes without.
- The time of the file `waiting` tells the agent since when it is waited for.
- The FIFO is held open for reading and writing, since opening it for writing waits for a reader,
  for ever if the agent is dead; the command does not inherit it. The agent sees a line when the
  command begins, and end of file when the wrapper is gone, also after SIGKILL.
- Only the agent knows whether a Secret has an ssh key: where it has, there is a socket.
- `exec` in the child: the signals must reach the command itself, and a command named like a
  builtin or a function of this text is looked for in the image.
- A signal before the child is started is kept for it. `wait` returns when a signal comes: it is
  repeated until the command is gone. A shell that had reaped the command just then still knows its
  exit code, or says 127, or in bash 5.2 now and then -1: what the wait before said stands for it,
  or 128 + signal. bash may forget a signal that comes while its trap for the last one runs.
- The command is killed after the grace by a shell of its own, started outside of the traps: bash
  waits for one that a trap has started when asked for a command that is gone. A signal that comes
  just before a `wait` would not end it, and nobody would kill: the trap makes it a wait for no
  child, which is over at once.
- The names begin with `cijob_`: assigning to a variable that the job's environment also has would
  change what the command sees.

The command's standard input is empty, as in any container without `stdin`. dash and busybox do not
hand on environment variables whose names are no names to a shell (`my.var`).
"""

WRAPPER = r"""
cijob_grace=$1 cijob_folder=$2; shift 2
trap 'exit 143' TERM
trap 'exit 130' INT
trap 'exit 131' QUIT
cijob_env='env --default-signal=INT,QUIT --'
$cijob_env true 2>/dev/null || cijob_env=
[ -e /cijob/ready ] || true 2>/dev/null >/cijob/waiting
cijob_pause=0.02 cijob_looks=0
until [ -e /cijob/ready ]; do
    sleep "$cijob_pause" 2>/dev/null || sleep 1
    cijob_looks=$((cijob_looks + 1))
    [ "$cijob_looks" -lt 250 ] || cijob_pause=0.2
done
exec 9<>/cijob/alive; echo >&9
[ ! -S /cijob-ssh/agent ] || export SSH_AUTH_SOCK="${SSH_AUTH_SOCK-/cijob-ssh/agent}"
cijob_end() { echo "$1" >/cijob/exit-code; exit "$1"; }
cd "$cijob_folder" 2>/dev/null || {
    echo "cijob: no folder $cijob_folder to run in; is workingDir in the source?" >&2
    cijob_end 127
}
case $1 in *=*) cijob_env= ;; esac
cijob_child='' cijob_signal='' cijob_told='' cijob_killer=''
cijob_stop() {
    cijob_signal=$1 cijob_told=$2 cijob_waits=$$
    [ -n "$cijob_child" ] || return
    kill -"$1" "$cijob_child" 2>/dev/null
}
trap 'cijob_stop TERM 143' TERM
trap 'cijob_stop INT 130' INT
trap 'cijob_stop QUIT 131' QUIT
(trap - TERM INT QUIT; exec $cijob_env "$@") 9>&- &
cijob_child=$!
[ -z "$cijob_signal" ] || cijob_stop "$cijob_signal" "$cijob_told"
while :; do
    cijob_signal='' cijob_waits=$cijob_child
    if [ -n "$cijob_told" ] && [ -z "$cijob_killer" ]; then
        (sleep "$cijob_grace"; kill -KILL "$cijob_child") >/dev/null 2>&1 9>&- &
        cijob_killer=$!
    fi
    wait "$cijob_waits" 2>/dev/null; cijob_code=$?
    [ -n "$cijob_signal" ] || break
    kill -0 "$cijob_child" 2>/dev/null && continue
    cijob_before=$cijob_code
    wait "$cijob_child" 2>/dev/null; cijob_code=$?
    case $cijob_code in 127 | -1) cijob_code=$cijob_before ;; esac
    break
done
case $cijob_told:$cijob_code in ?*:127 | ?*:-1) cijob_code=$cijob_told ;; esac
cijob_end "$cijob_code"
""".strip()
