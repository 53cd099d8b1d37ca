#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# peerctl @VERSION@ (@COMMIT@) for @TARGET@ in one file: this script, then Deno and the program as gzip.
# The first start unpacks them into a folder of the caller's own; every start checks that folder and becomes Deno.
# Needed are a POSIX shell, coreutils and gzip.
#
# What "checks" means. Each start demands of the folder: ours, mode 0700, no symbolic link, and nobody but root and us can
# replace it or a folder above it. So nobody else can have changed a file in it. Whoever runs as us could have, but they
# could as well change what we run next; against them, and against accidents, each start compares inode, size, owner,
# mode and times of change of every file with those noted when the content was last compared with its SHA-256 (the
# kernel sets the time of change, no program can). Any difference: the SHA-256 of all of it is compared again, and what is
# wrong is unpacked anew. Comparing it at every start would take 0.6 s, this takes 2 ms.
#
# What older versions unpacked stays: a process of theirs may still read from it.

id=@ID@
# All files, sorted; sums and sizes are those of the same.
names='@NAMES@'

sums() {
  cat <<'END'
@SUMS@
END
}

# The program's files as they follow each other in the second archive: size and name.
parts() {
  cat <<'END'
@PARTS@
END
}

@CLEAN@

# What tells a change of any file: one line each.
marks() (
  cd "$dir" 2>/dev/null && TZ=UTC0 LC_ALL=C stat -c '%n %d %i %f %u %h %s %y %z' . $names 2>/dev/null
)

# The folder $dir holds our files and nothing else, with the right content.
is_whole() (
  cd "$dir" && [ "$(LC_ALL=C ls -A)" = "$names" ] || exit 1
  for name in $names; do
    [ -f "$name" ] && [ ! -h "$name" ] || exit 1
  done
  sums | sha256sum -c >/dev/null 2>&1
)

# Compares content, and notes the marks of what was compared.
check_content() {
  before=$(marks) && is_whole && [ "$(marks)" = "$before" ] || return 1
  # Without the note, for want of room, the next start compares again.
  (umask 077 && printf '%s\n' "$before" >"$dir.new-$$" && mv -f "$dir.new-$$" "$dir.marks") 2>/dev/null ||
    rm -f "$dir.new-$$"
}

# Makes $1 a folder that only we and root can enter or replace; $base is its real path. Or says why not in $why.
own_folder() {
  [ ! -h "$1" ] || { why='it is a symbolic link' && return 1; }
  [ -d "$1" ] || why=$(umask 077 && mkdir -p "$1" 2>&1) || return 1
  base=$(cd -P "$1" 2>/dev/null && pwd -P) || { why='it cannot be entered' && return 1; }
  up=$base
  set --
  while [ -n "$up" ]; do
    set -- "$@" "$up"
    up=${up%/*}
  done
  is_first=1
  # A folder above may be writable by others only when it is sticky: then they cannot move what is not theirs.
  for state in $(stat -c %u:%a "$@" /); do
    case $is_first:$state in
    "1:$uid:700" | "1:$uid:2700") ;;
    1:*) why="it is not a folder of user $uid with mode 700 but has ${state%:*} and ${state#*:}" && return 1 ;;
    0:0:[1357]??? | "0:$uid:"[1357]???) ;;
    0:*[2367] | 0:*[2367]?) why='others can write to a folder above it' && return 1 ;;
    0:0:* | "0:$uid:"*) ;;
    *) why="a folder above it belongs to user ${state%:*}" && return 1 ;;
    esac
    is_first=0
  done
  [ "$is_first" = 0 ] || { why='its owner cannot be found out' && return 1; }
}

# Prints $2 bytes of this file from byte $1 on, unpacked.
unzip_part() {
  tail -c "+$1" "$self" | head -c "$2" | gzip -dc
}

# Unpacks into $base/$id, in one step at the end: a folder by that name is always a whole one. Prints why it could not;
# exit code 2 says that no other place will do either.
unpack() (
  umask 077
  # Left behind by a start that was killed; the name has its process.
  for old in "$base"/new-*; do
    pid=${old##*/new-}
    pid=${pid%%-*}
    [ ! -d "$old" ] || kill -0 "$pid" 2>/dev/null || rm -rf "$old"
  done
  new=$(mktemp -d "$base/new-$$-XXXXXX" 2>&1) || { echo "$new" && exit 1; }
  trap 'rm -rf "$new"' EXIT
  trap 'exit 1' HUP INT TERM
  # A short program first: where none may run, 100 MB need not be unpacked to see it.
  printf '#!/bin/sh\n' >"$new/try" && chmod 700 "$new/try" && "$new/try" 2>/dev/null ||
    { echo 'programs there may not run, or it is full' && exit 1; }
  rm "$new/try"
  {
    unzip_part @DENO_AT@ @DENO_SIZE@ >"$new/deno" &&
      unzip_part @PROGRAM_AT@ @PROGRAM_SIZE@ >"$new/parts" &&
      parts | while read -r size name; do dd "bs=$size" count=1 "of=$new/$name" <&3 2>/dev/null || exit 1; done 3<"$new/parts" &&
      rm "$new/parts" && chmod 400 "$new"/* && chmod 500 "$new/deno" "$new/peerctl"
  } 2>&1 || exit 1
  dir=$new
  is_whole || { echo 'what was written there is not what was read' && exit 1; }
  # On disk before it has its name, also when the power fails. (Old versions of sync take no names.)
  sync "$new"/* 2>/dev/null || :
  why=$("$new/deno" --version 2>&1 >/dev/null </dev/null) || { echo "Deno does not run on this machine: $why" && exit 2; }
  # Another first start may have been faster: then its folder stays.
  mv -T "$new" "$base/$id" 2>/dev/null || [ -d "$base/$id" ]
)

# Makes $dir the folder of our files below $1, or notes in $reasons why not.
try() {
  [ "$is_hopeless" = 0 ] || return 1
  own_folder "$1" || { refuse "$1" "$why" && return 1; }
  dir=$base/$id
  if [ -f "$dir.marks" ] && [ "$(cat "$dir.marks")" = "$(marks)" ]; then
    [ -x "$dir/deno" ] && return
    refuse "$1" 'programs there may not run' && return 1
  fi
  if [ -e "$dir" ] || [ -h "$dir" ]; then
    if [ ! -h "$dir" ]; then
      case $(stat -c %u:%a "$dir") in
      "$uid:700" | "$uid:2700") check_content && return ;;
      esac
    fi
    echo "peerctl: $dir is not what was unpacked there; it is unpacked again" >&2
    rm -rf "$dir"
  fi
  why=$(unpack)
  case $? in
  0) check_content && return ;;
  2) is_hopeless=1 ;;
  esac
  refuse "$1" "${why:-what was unpacked there changed at once}" && return 1
}

# Notes why $1 will not do, on one line.
refuse() {
  place=$1
  set -f
  set -- $2
  set +f
  reasons="$reasons
  $place: $*"
}

find_folder() {
  case ${XDG_CACHE_HOME-} in
  /*) try "$XDG_CACHE_HOME/peerctl" && return ;;
  esac
  [ "$uid" = 0 ] && try /var/cache/peerctl && return
  case ${HOME-} in
  /*) [ -d "$HOME" ] && try "${HOME%/}/.cache/peerctl" && return ;;
  esac
  [ "$uid" = 0 ] && try /run/peerctl && return
  for each in /var/tmp /tmp /dev/shm; do
    [ -d "$each" ] && try "$each/peerctl-$uid" && return
  done
  return 1
}

case $0 in
/*) self=$0 ;;
*) self=$PWD/$0 ;;
esac
uid=$(id -u)
reasons=
is_hopeless=0
find_folder || {
  echo "peerctl: error: Cannot unpack peerctl: there is no folder for it$reasons" >&2
  echo 'peerctl: set XDG_CACHE_HOME to a folder of yours where programs may run, with 100 MB of room' >&2
  exit 1
}
export PEERCTL_ARGV0="${PEERCTL_ARGV0:-$0}" PEERCTL_SELF="$dir/peerctl" DENO_DIR="$base/deno"
@EXEC@
exit
