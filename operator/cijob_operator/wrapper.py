"""The few lines of shell around a job's command when an agent runs beside it.

They wait until the workspace is ready, run the command so that signals reach it, and tell the agent
of its end. POSIX sh; called as `sh -c WRAPPER cijob GRACE FOLDER COMMAND…`.

Each line is there for a failure that was seen:
- PID 1 has no default signal actions: without a trap a waiting wrapper ignores TERM.
- A command started in the background has INT and QUIT ignored, so a Python job never sees
  KeyboardInterrupt: `env --default-signal` gives them back where it exists.
- The FIFO is held open for reading and writing, since opening it for writing waits for a reader,
  for ever if the agent is dead; the command does not inherit it. The agent sees end of file when
  the wrapper is gone, also after SIGKILL.
- `wait` returns when a signal comes: it is repeated until the command is gone.
"""

WRAPPER = r"""
grace=$1 folder=$2; shift 2
trap 'exit 143' TERM INT
until [ -e /cijob/ready ]; do sleep 0.05; done
mkdir -p "$HOME" "$TMPDIR" 2>/dev/null
cd "$folder" || { echo "cijob: no directory $folder in the workspace" >&2; exit 127; }
exec 9<>/cijob/alive
default="env --default-signal=INT,QUIT"
if $default true 2>/dev/null; then set -- $default "$@"; fi
"$@" 9>&- &
child=$!
stop() {
    kill -"$1" "$child" 2>/dev/null
    (sleep "$grace"; kill -KILL "$child" 2>/dev/null) 9>&- >/dev/null 2>&1 &
}
trap 'stop TERM' TERM
trap 'stop INT' INT
while :; do
    wait "$child"; code=$?
    kill -0 "$child" 2>/dev/null || break
done
echo "$code" > /cijob/exit-code
exit "$code"
""".strip()
