#!/bin/sh
# The far half of an attempt, in a folder of its own: remote.sh VERB [ARG...]
#
#   task            what to run: exports the environment, then becomes the shell or the file
#   tree            the name of the folder below trees/ that it starts in
#   began/          made by whoever starts the task, or makes sure that nobody will
#   supervisor, pid process ids: of `supervise`, and of the task, which leads a session where setsid exists
#   lease           changes as long as somebody looks after the attempt
#   ending, cause   it was told to end; why, when nobody told it
#   log, output     what the task writes
#   exit            its exit code; its presence means: over, and nothing of it is left
set -u
cd "$(dirname "$0")" || exit 1
verb=$1
id=${PWD##*/}
setsid=$(command -v setsid)

nap() { sleep 0.1 2> /dev/null || sleep 1; }

# processes prints id, state, parent, group and session of all processes.
processes() {
  if [ -r /proc/self/stat ]; then
    cat /proc/[0-9]*/stat 2> /dev/null | sed 's/^\([0-9]*\) (.*) \([A-Za-z]\) /\1 \2 /'
  else
    ps -A -o pid= -o state= -o ppid= -o pgid= -o pgid=
  fi
}

# marked prints the processes that carry the attempt's mark, where the system tells.
marked() {
  grep -lsF "FLOWCTL_WORK=$PWD/work" /proc/[0-9]*/environ 2> /dev/null | sed 's|^/proc/\([0-9]*\)/.*|mark \1|'
}

# supervised tells whether there is somebody to record the end. A process id alone may be somebody else's by now; the supervisor has
# the attempt's name in its command line.
supervised() {
  supervisor=$(cat supervisor 2> /dev/null) || return 1
  if [ -r /proc/self/cmdline ]; then
    grep -qsF "$id" "/proc/$supervisor/cmdline"
  else
    ps -p "$supervisor" -o args= | grep -qF "$id"
  fi
}

# members prints what lives of the task: its session, its descendants, and who carries its mark. As long as there is a supervisor, its
# process id is the task's own.
members() {
  leader=none
  supervised && leader=$(cat pid 2> /dev/null)
  { marked; processes; } | awk -v leader="$leader" '
    $1 == "mark" { tree[$2] = 1; next }
    { state[$1] = $2; parent[$1] = $3 }
    $1 == leader || $4 == leader || $5 == leader { tree[$1] = 1 }
    END {
      do {
        grew = 0
        for (p in parent) if (!(p in tree) && (parent[p] in tree)) { tree[p] = 1; grew = 1 }
      } while (grew)
      for (p in tree) if ((p in state) && state[p] !~ /^[ZX]/) print p
    }'
}

# signal sends a signal to all of the task; it fails when nothing is left.
signal() {
  left=$(members)
  [ -n "$left" ] || return 1
  # shellcheck disable=SC2086 # one word for each process
  kill -s "$1" $left 2> /dev/null
  return 0
}

vanish() { while signal KILL; do nap; done; }

# gone waits some seconds for the task to end by itself.
gone() {
  tries=$1
  while [ -n "$(members)" ]; do
    [ "$tries" -gt 0 ] || return 1
    tries=$((tries - 1))
    sleep 1
  done
}

# watch ends the task when its lease is over. It counts its own naps: no clock can jump.
watch() {
  nap=
  trap 'kill -s KILL $nap 2> /dev/null; exit' TERM
  tick=$(($1 / 10))
  [ "$tick" -ge 1 ] || tick=1
  idle=0 last=
  while [ "$idle" -lt "$1" ]; do
    sleep "$tick" &
    nap=$!
    wait "$nap"
    now=$(cat lease 2> /dev/null)
    if [ "$now" = "$last" ]; then idle=$((idle + tick)); else idle=0 last=$now; fi
  done
  echo lease > cause
  : > ending
  signal TERM
  gone 10 || vanish
}

# supervise runs the task and records its end. It is in a session of its own and outlives the connection.
supervise() {
  echo $$ > supervisor
  if [ -e ending ]; then # whoever ended it has seen no supervisor, and trusts that this one looks
    echo 143 > exit.new && mv exit.new exit
    exit
  fi
  $setsid /bin/sh ./task < /dev/null >> log 2>&1 &
  task=$!
  echo "$task" > pid
  watch "$1" > /dev/null 2>&1 &
  watch=$!
  wait "$task"
  code=$?
  [ "$code" -le 255 ] || code=$((code - 128)) # ksh says 256 and the signal
  # What it leaves in the background is killed, as on the agent's host; when it was told to end, the others have their grace as well.
  while [ -e ending ] && [ -n "$(members)" ]; do nap; done
  vanish
  kill "$watch" 2> /dev/null
  echo "$code" > exit.new && mv exit.new exit
}

# control obeys the other side, and ends this process when there is none.
control() {
  beats=0
  while read -r word; do
    case $word in
      beat) beats=$((beats + 1)) && echo "$$ $beats" > lease ;;
      TERM) : > ending && signal TERM ;;
      KILL) vanish & ;;
    esac
  done
  kill -s TERM $$
}

# attach starts the task unless it began, and follows its log from a byte on until its end.
attach() {
  exec 3<&0 < /dev/null
  child='' tail='' control=''
  # Not TERM: a child that was just forked may still catch it as this shell would, and forget it.
  trap 'kill -s KILL $tail $control 2> /dev/null; exit 1' TERM HUP
  if mkdir began 2> /dev/null; then
    mkdir work
    : >> log
    $setsid /bin/sh ./remote.sh supervise "$2" "$id" > /dev/null 2> trouble 3<&- &
    child=$!
  fi
  echo begun >&2
  tail -c "+$1" -f log 2> /dev/null 3<&- &
  tail=$!
  control <&3 > /dev/null 2>&1 &
  control=$!
  exec 3<&-
  if [ -n "$child" ]; then
    wait "$child"
  else
    patience=10 # of who has just begun
    while [ ! -e exit ]; do
      supervised || patience=$((patience - 1))
      [ "$patience" -gt 0 ] || break
      sleep 1
    done
  fi
  kill -s KILL $tail $control 2> /dev/null
  tell
}

# tell prints how it ended.
tell() {
  if [ -e exit ]; then
    echo "end $(cat exit) $(cat cause 2> /dev/null)" >&2
  else
    vanish
    echo "end lost" >&2
  fi
}

# tree prints whether the files with a hash are here, after removing what nobody has used for a week.
tree() {
  cd ../.. || exit 1
  # shellcheck disable=SC2044 # the names are ours
  for old in $(find attempts/* -prune -type d -mtime +7); do
    [ -e "$old/exit" ] || ! kill -0 "$(cat "$old/supervisor" 2> /dev/null || echo none)" 2> /dev/null || continue
    rm -rf "$old"
  done
  # shellcheck disable=SC2044
  for old in $(find trees/*.* -prune -type d -mtime +7 2> /dev/null); do
    grep -qxsF "${old#trees/}" attempts/*/tree || rm -rf "$old" "${old%.*}"
  done
  if [ -e "trees/$1" ] && name=$(cat "trees/$1") && touch -c "trees/$name" && [ -d "trees/$name" ]; then
    echo "$name" > "$OLDPWD/tree"
    echo have
  else
    echo want
  fi
}

case $verb in
  tree) tree "$2" ;;
  # The files are in tree.new. They are published by a file, which can be replaced at once.
  place)
    name=$2.$id
    mv tree.new "../../trees/$name" && echo "$name" > tree && cp tree "../../trees/$2.new.$$" && mv "../../trees/$2.new.$$" "../../trees/$2"
    ;;
  attach) attach "$2" "$3" ;;
  supervise) supervise "$2" ;;
  # What was not yet read of the log, and the outputs.
  finish)
    tail -c "+$2" log
    if [ -e output ]; then head -c "$3" output >&2; fi
    ;;
  # Ends what runs, or makes sure that nothing will.
  end)
    if mkdir began 2> /dev/null; then exit; fi
    : > ending
    while [ ! -e exit ]; do
      signal KILL || supervised || break
      nap
    done
    ;;
  forget) cd .. && rm -rf "$id" ;;
esac
