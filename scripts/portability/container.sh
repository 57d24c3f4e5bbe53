# Sourced by portability.sh: the images of scripts/cluster/Dockerfile, on debootstrap's bookworm as their base, and their commands as a user
# without a name. LibTorch is this machine's, in the place of pip's 6 GB: the image is built with the worker's wheel alone.

containers=$PWD/build/containers

# Debian's buildah, without a daemon, namespaces or an overlay; what it keeps goes when the images have been tried.
in_storage() { buildah --root "$containers" --runroot "$containers/run" --storage-driver vfs "$@"; }

# build_image TARGET: localhost/midashenglm-TARGET.
build_image() {
  in_storage build --isolation chroot --target "$1" --build-arg BASE=localhost/base --build-arg "TORCH=torch$minor" --build-arg PIP_OPTIONS="--no-index --no-deps" \
    --tag "localhost/midashenglm-$1" --file scripts/cluster/Dockerfile dist
}

# build_images: both, in build/containers.
build_images() {
  local base
  rm -rf "$containers"
  mkdir -p "$containers"
  base=$(in_storage from scratch) && in_storage add -q "$base" build/roots/bookworm / && in_storage commit -q --rm "$base" localhost/base &&
    build_image launcher && build_image full
}

# in_image TARGET [--volume FROM:TO:ro]… -- COMMAND…
in_image() {
  local container volumes=() status=0
  container=$(in_storage from --pull-never "localhost/midashenglm-$1") || return
  shift
  while [ "$1" != -- ]; do volumes+=("$1"); shift; done
  in_storage run --isolation chroot --user 12345:12345 "${volumes[@]}" "$container" "$@" || status=$?
  in_storage rm "$container" >/dev/null
  return $status
}

try_container() {
  local system="container of scripts/cluster" log=build/portability/container.log status=0 data=$PWD/build/portability/data
  if ! command -v buildah >/dev/null; then
    echo "there is no buildah to build the container images with: apt-get install buildah"
    return
  fi
  fetch_debian bookworm
  worker_data
  say "containers"
  cell "$system" glibc "$(glibc_of build/roots/bookworm)"
  if build_images >"$log" 2>&1; then
    launcher_cell "$system" in_image launcher --volume "$PWD/scripts/package/try_launcher.sh:/try_launcher.sh:ro" -- sh /try_launcher.sh mdl-launch
    log=build/portability/container.log
    in_image full --volume "$PWD/scripts/portability/try_worker.sh:/try_worker.sh:ro" --volume "$data:/made:ro" \
      --volume /usr/share/sounds:/usr/share/sounds:ro --volume "${sites[0]}:/site-packages:ro" -- \
      env MDL_TORCH=/site-packages sh /try_worker.sh /made /data/work mdl-launch mdl-toolkit >>"$log" 2>&1 || status=$?
    worker_cell "$system" $status "$log"
  else
    cat "$log" >&2
    cell "$system" launcher "**fails: see $log**"
  fi
  rm -rf "$containers"
}
