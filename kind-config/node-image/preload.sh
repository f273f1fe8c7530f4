# Runs in a container of the node image while it is made: puts the images that come on standard input into the
# node's containerd. They stay packed; what a cluster uses is unpacked at first use.
set -eu

containerd >/run/containerd.log 2>&1 &
pid=$!

tries=0
until ctr version </dev/null >/dev/null 2>&1; do
  tries=$((tries + 1))
  if [ "$tries" -ge 300 ]; then
    cat /run/containerd.log
    exit 1
  fi
  sleep 0.1
done

ctr --namespace k8s.io images import --no-unpack -

kill "$pid"
wait "$pid" || true
