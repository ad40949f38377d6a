# Sourced: runs a command and prints what it took.
phase() {
  local name=$1 began=$SECONDS
  shift
  echo "=== $name"
  "$@"
  echo "=== $name: $((SECONDS - began)) s"
}
