# Sourced by portability.sh: the worker's wheel in other systems. LibTorch and Arrow are this machine's, as a wheel of them serves every system.

# worker_data: a small checkpoint and a CSV of real sounds, in build/portability/data.
worker_data() {
  local data=build/portability/data
  [ ! -e $data/.complete ] || return 0
  say "making a small checkpoint"
  rm -rf "$data"
  mkdir -p "$data"
  "$venv/bin/python" scripts/peer/make_checkpoint.py --out $data/checkpoint >build/portability/data.log 2>&1 || { cat build/portability/data.log >&2; exit 1; }
  "$venv/bin/python" scripts/peer/make_dataset.py --out $data --test-every 3
  mv $data/test.csv $data/train.csv  # enough of them
  chmod -R a+rX "$data"  # a container has another user
  touch $data/.complete
}

# A script for sh: install_worker ENVIRONMENT WHEEL
# shellcheck disable=SC2016
install_worker='rm -rf "$1" && python3 -m venv "$1" && "$1/bin/pip" install -q --no-index --no-deps "$2"'

# worker_in SUITE SYSTEM: in a system of build/roots. pip must refuse the wheel where the C library is older than the wheel is for.
worker_in() {
  local root=$PWD/build/roots/$1 system=$2 wheel log=build/portability/worker-$1.log status=0
  wheel=$(basename "${wheels[0]}")
  worker_data
  cp "${wheels[0]}" scripts/portability/try_worker.sh "$root/tmp/"
  inside "$root" sh -ec 'python3 -c "import venv, ensurepip" 2>/dev/null && exit; export DEBIAN_FRONTEND=noninteractive; apt-get update -qq
    apt-get install -y -qq --no-install-recommends python3-venv' >"$log" 2>&1 || { cat "$log" >&2; exit 1; }
  inside "$root" sh -c "$install_worker" sh /opt/worker "/tmp/$wheel" >>"$log" 2>&1 || status=$?
  if [[ $wheel =~ manylinux_2_([0-9]+)_ ]] && [ "${cells[$system/glibc]#2.}" -lt "${BASH_REMATCH[1]}" ]; then
    if [ $status != 0 ] && grep -q "not a supported wheel on this platform" "$log"; then
      cell "$system" worker "no: pip refuses the wheel, which is for glibc 2.${BASH_REMATCH[1]}"
    else
      cell "$system" worker "**pip installs a wheel for glibc 2.${BASH_REMATCH[1]}: see $log**"
    fi
    return
  fi
  [ $status = 0 ] && inside "$root" env MDL_TORCH=/site-packages sh /tmp/try_worker.sh /data /tmp/work mdl-launch /opt/worker/bin/mdl-toolkit-native \
    >>"$log" 2>&1 || status=$?
  worker_cell "$system" $status "$log"
}

worker_here() {
  local folder=$PWD/build/portability/here log=build/portability/worker-here.log status=0
  worker_data
  { sh -c "$install_worker" sh "$folder/venv" "${wheels[0]}" && MDL_TORCH=${sites[0]} sh scripts/portability/try_worker.sh \
    "$PWD/build/portability/data" "$folder/work" "$2" "$folder/venv/bin/mdl-toolkit-native"; } >"$log" 2>&1 || status=$?
  worker_cell "$1" $status "$log"
}

# worker_cell SYSTEM STATUS LOG
worker_cell() {
  if [ "$2" = 0 ]; then cell "$1" worker "yes: two ranks train"; else cat "$3" >&2; cell "$1" worker "**fails: see $3**"; fi
}

# worker_programs: the programs and libraries of the wheel.
worker_programs() {
  rm -rf build/portability/wheel
  python3 -m zipfile -e "${wheels[0]}" build/portability/wheel
  find build/portability/wheel -type f -exec sh -c 'for file; do [ "$(head -c 4 "$file" | tail -c 3)" != ELF ] || echo "$file"; done' sh {} +
}
