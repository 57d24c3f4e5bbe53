#!/bin/sh
# enter.sh ROOT [FROM:TO]… -- COMMAND…: runs a command in the system that lies in the folder ROOT, with files and folders of this one there,
# read-only. To be started with `unshare --mount`: what it mounts ends with its namespace.
root=$1
shift
mount -t proc proc "$root/proc" && mount --rbind /dev "$root/dev" || exit 1
while [ "$1" != -- ]; do
  from=${1%%:*} to=$root${1#*:}
  if [ -d "$from" ]; then mkdir -p "$to"; else mkdir -p "$(dirname "$to")" && touch "$to"; fi
  mount --bind "$from" "$to" && mount -o remount,bind,ro "$to" || exit 1
  shift
done
shift
exec chroot "$root" "$@"
