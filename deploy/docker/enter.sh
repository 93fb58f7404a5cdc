#!/bin/sh
# enter.sh ROOT DATA COMMAND…: be the command as a container would be: ROOT is its root file system, which nobody may
# write to, DATA its /data; not root, without capabilities, told nothing but what the environment of this script has.
set -eu
root=$1 data=$2
shift 2
[ "${ENTERED:-}" ] || ENTERED=yes exec unshare --mount --propagation private "$0" "$root" "$data" "$@"
mount --bind "$root" "$root"
mount --rbind /dev "$root/dev"
mount -t proc -o nosuid,nodev,noexec proc "$root/proc"
mount -t tmpfs -o mode=1777,nosuid,nodev,size=64m tmpfs "$root/tmp"
mount --bind "$data" "$root/data"
mount -o remount,bind,ro "$root"
unset ENTERED
chroot=$(command -v chroot)
export PATH=/opt/pregao/bin:/usr/bin:/bin HOME=/tmp PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
exec "$chroot" "$root" setpriv --reuid=10001 --regid=10001 --clear-groups --no-new-privs \
  --bounding-set=-all --inh-caps=-all --ambient-caps=-all sh -c 'cd /app && exec "$@"' sh "$@"
