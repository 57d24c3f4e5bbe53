#!/usr/bin/env bash
# archive.sh FOLDER ARCHIVE.tar.xz [LIMIT]: packs FOLDER, with its own name at the front of all paths. An archive above LIMIT bytes (64 MiB) is
# refused, and none is left.
set -euo pipefail
unset CDPATH
[ $# -ge 2 ] || { echo "usage: archive.sh FOLDER ARCHIVE.tar.xz [LIMIT]" >&2; exit 2; }
folder=$1 archive=$2 limit=${3:-$((64 << 20))}
trap 'rm -f "$archive.unfinished"' EXIT
tar -C "$(dirname "$folder")" --sort=name --owner=0 --group=0 --numeric-owner -cf - "$(basename "$folder")" | xz -T0 -6 >"$archive.unfinished"
size=$(stat -c %s "$archive.unfinished")
if [ "$size" -gt "$limit" ]; then
  echo "archive.sh: $archive would have $size bytes, more than $limit" >&2
  exit 1
fi
mv "$archive.unfinished" "$archive"
echo "$archive: $size bytes of at most $limit"
