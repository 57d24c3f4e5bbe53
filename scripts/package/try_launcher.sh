#!/bin/sh
# Tries an installed mdl-launch: try_launcher.sh COMMAND… (the words that start it). Says what went wrong, and ends with 1 then. For a bare
# system: no Python, no tool that is not in every Debian.
failed=0
fail() {
  echo "FAILED: $*" >&2
  failed=1
}
# expect STATUS WORDS DESCRIPTION: of the last run, whose output lies in $output.
expect() {
  [ "$status" = "$1" ] || fail "$3: ended with $status instead of $1: $output"
  case "$output" in *"$2"*) ;; *) fail "$3: no \"$2\" in: $output" ;; esac
}
run() {
  output=$(timeout 100 "$@" 2>&1)
  status=$?
}
unset LD_LIBRARY_PATH

run "$@" --version
expect 0 "mdl-launch " "--version"
run "$@" --help
expect 0 "--nproc-per-node" "--help"
for command in launch config env doctor status; do
  run "$@" $command --help
  expect 0 "Usage: mdl-launch $command" "$command --help"
done
run "$@" --wrong-option
expect 2 "unknown option --wrong-option" "an exception: a wrong option"
run "$@" --standalone --no-python /no/such/program
expect 127 "/no/such/program" "a program that is not there"
run "$@" --standalone --nproc-per-node 2 --no-python sh -c 'echo "this is rank $$RANK of $$WORLD_SIZE"'
expect 0 "this is rank 0 of 2" "a standalone job of two workers"
expect 0 "this is rank 1 of 2" "a standalone job of two workers"
run "$@" --standalone --no-python sh -c 'exit 3'
expect 1 "exit" "a worker that fails"

# getaddrinfo: the rendezvous has a name. Two nodes of one job on this machine.
port=$((20000 + $$ % 10000))
set -- "$@" --rdzv-backend c10d --rdzv-endpoint "localhost:$port" --rdzv-id try --nnodes 2 --nproc-per-node 1 --no-python \
  sh -c 'echo "this is rank $$RANK of $$WORLD_SIZE"'
folder=$(mktemp -d)
timeout 100 "$@" >"$folder/other" 2>&1 &
run "$@"
wait $! || fail "the other of two nodes failed"
output="$output $(cat "$folder/other")"
rm -r "$folder"
expect 0 "this is rank 0 of 2" "a c10d job of two nodes at localhost"
expect 0 "this is rank 1 of 2" "a c10d job of two nodes at localhost"
exit $failed
