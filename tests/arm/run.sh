#!/bin/sh
# Run the tests that compute on an emulated arm64 Debian; README.md says what this needs.
#
#   tests/arm/run.sh ROOT [pytest arguments]
#
# ROOT is the folder of the Debian system, which is made there if it does not exist.
set -eu

root=${1:?usage: run.sh ROOT [pytest arguments]}
shift
here=$(cd "$(dirname "$0")/../.." && pwd)
mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}

if [ "$(id -u)" != 0 ]; then
    echo "run.sh: chroot needs root: run it with sudo" >&2
    exit 2
fi
for tool in debootstrap qemu-aarch64-static; do
    if ! command -v "$tool" > /dev/null; then
        echo "run.sh: $tool is missing: apt-get install debootstrap qemu-user-static" >&2
        exit 2
    fi
done
if [ "$(uname -m)" != aarch64 ] && [ ! -e /proc/sys/fs/binfmt_misc/qemu-aarch64 ]; then
    # Packages do this when the system starts; a container or a fresh installation may lack it.
    mountpoint -q /proc/sys/fs/binfmt_misc || mount -t binfmt_misc none /proc/sys/fs/binfmt_misc
    cat /usr/lib/binfmt.d/qemu-aarch64.conf > /proc/sys/fs/binfmt_misc/register
fi

if [ ! -e "$root/venv/ready" ]; then
    debootstrap --arch=arm64 --variant=minbase --include=ca-certificates,python3,python3-venv \
        bookworm "$root" "$mirror"
    cp /etc/resolv.conf "$root/etc/"
    cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
    chroot "$root" python3 -m venv /venv
    chroot "$root" /venv/bin/pip install --cert /etc/ssl/certs/ca-certificates.crt \
        hypothesis narwhals numba numpy platformdirs pytest pytest-benchmark rich safetensors scikit-learn
    touch "$root/venv/ready"
fi
mountpoint -q "$root/proc" || mount -t proc proc "$root/proc"
trap 'umount "$root/proc"' EXIT

rm -rf "$root/fastmlp"
mkdir "$root/fastmlp"
cp -r "$here/fastmlp" "$here/kernels" "$here/tests" "$here/pyproject.toml" "$here/README.md" \
    "$here/LICENSE" "$root/fastmlp/"
chroot "$root" /venv/bin/pip install -q --no-deps --cert /etc/ssl/certs/ca-certificates.crt \
    -e /fastmlp

if [ $# = 0 ]; then
    set -- $(sed 's/#.*//' "$here/tests/arm/tests.txt")
fi
chroot "$root" /usr/bin/env -C /fastmlp FASTMLP_CACHE_DIR=/cache \
    /venv/bin/python -m pytest -q "$@"
