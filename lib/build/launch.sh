# The user's variables for Deno and Node are not for peerctl: they would change what it trusts, loads and prints.
old_ifs=$IFS
IFS='
'
set -f
for line in $(export -p); do
  case $line in
  'export DENO_'* | 'declare -x DENO_'*)
    name=${line#*DENO_}
    unset "DENO_${name%%[!A-Za-z0-9_]*}"
    ;;
  esac
done
set +f
IFS=$old_ifs
unset @NODE_VARIABLES@
export DENO_NO_UPDATE_CHECK=1 DENO_NO_PACKAGE_JSON=1

# glibc would keep a heap for each of the runtime's threads, of which one does the work (lib/ttrpc/PERFORMANCE.md).
export MALLOC_ARENA_MAX="${MALLOC_ARENA_MAX:-1}"
