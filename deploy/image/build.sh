#!/usr/bin/env bash
# Build an image and run it: `make image`. Prints the image's size and what the gateway inside answered.
#
#   deploy/image/build.sh [gateway-cpu|gateway-gpu|training]      only the first is run afterwards
#
# With docker or podman it is what you expect. Where no engine works, root on Debian still can: debootstrap makes the
# base image and buildah builds the same Dockerfile in a chroot; then the host's pip configuration and certificates, if
# it has any, are mounted during the build and stay out of the image.
set -euo pipefail
cd "$(dirname "$0")/../.."

target=${1:-gateway-cpu}
tag=localhost/echoplane:$target
cache=$PWD/.cache/image
release=bookworm
mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}

find_engine() {
    local engine
    for engine in docker podman; do
        if command -v "$engine" >/dev/null && "$engine" info >/dev/null 2>&1; then
            # an engine that answers may still be unable to run anything
            if "$engine" run --rm --entrypoint true docker.io/library/debian:$release-slim 2>/dev/null; then
                echo "$engine"
                return
            fi
        fi
    done
}

build_with_engine() {
    "$1" build --target "$target" --tag "$tag" .
    "$1" image ls "$tag"
    if [[ $target != gateway-cpu ]]; then return; fi
    "$1" run --rm --volume "$PWD/deploy/image/check.py:/check.py:ro" --entrypoint python3 "$tag" \
        /check.py python3 -m services.gateway
}

install_tools() {
    local missing=()
    command -v buildah >/dev/null || missing+=(buildah)
    command -v debootstrap >/dev/null || missing+=(debootstrap)
    if [[ ${#missing[@]} -eq 0 ]]; then return; fi
    if [[ $EUID -ne 0 ]] || ! command -v apt-get >/dev/null; then
        echo "error: found no working docker or podman and no ${missing[*]}; expected one of the engines, or root on" \
            "Debian. Install docker, or run this as root." >&2
        exit 2
    fi
    apt-get -qq update
    apt-get -qq install --yes --no-install-recommends "${missing[@]}"
}

choose_storage() {
    storage=(--storage-driver overlay --root "$cache/overlay" --runroot "$cache/run-overlay")
    local probe
    if probe=$(buildah "${storage[@]}" from scratch 2>/dev/null); then
        if buildah "${storage[@]}" mount "$probe" >/dev/null 2>&1; then
            buildah "${storage[@]}" rm "$probe" >/dev/null
            return
        fi
    fi
    storage=(--storage-driver vfs --root "$cache/vfs" --runroot "$cache/run-vfs")
}

make_base() {
    if buildah "${storage[@]}" inspect --type image "$base" >/dev/null 2>&1; then return; fi
    local tree=$cache/tree container
    rm -rf "$tree"
    debootstrap --variant=minbase --include=ca-certificates $release "$tree" "$mirror" >"$cache/debootstrap.log"
    {
        echo "deb $mirror $release main"
        echo "deb $mirror $release-updates main"
        echo "deb ${mirror}-security $release-security main"
    } >"$tree/etc/apt/sources.list"
    # what Debian's own slim image leaves out too
    rm -rf "$tree"/var/lib/apt/lists/* "$tree"/var/cache/apt/archives/*.deb "$tree"/usr/share/{doc,info,locale,man}/*
    container=$(buildah "${storage[@]}" from scratch)
    buildah "${storage[@]}" add --quiet "$container" "$tree" /
    buildah "${storage[@]}" commit --quiet --rm "$container" "$base"
    rm -rf "$tree"
}

build_without_engine() {
    local volumes=() line entry
    install_tools
    mkdir -p "$cache"
    choose_storage
    base=localhost/debian:$release-minbase
    make_base
    while read -r line; do volumes+=(--volume "$line"); done < <(python3 deploy/image/host_pip.py "$cache")
    buildah "${storage[@]}" build --isolation chroot --network host --pull-never --format docker \
        "${volumes[@]}" --build-arg "BASE=$base" --target "$target" --tag "$tag" .
    buildah "${storage[@]}" rmi --prune >/dev/null
    buildah "${storage[@]}" images "$tag"
    if [[ $target != gateway-cpu ]]; then return; fi

    container=$(buildah "${storage[@]}" from --pull-never "$tag")
    trap 'buildah "${storage[@]}" rm "$container" >/dev/null' EXIT
    local each='{{range .Docker.Config.Entrypoint}}{{.}} {{end}}'
    read -ra entry <<<"$(buildah "${storage[@]}" inspect --format "$each" "$container")"
    buildah "${storage[@]}" run --isolation chroot --network host \
        --volume "$PWD/deploy/image/check.py:/check.py:ro" "$container" -- python3 /check.py "${entry[@]}"
}

engine=$(find_engine)
if [[ -n $engine ]]; then build_with_engine "$engine"; else build_without_engine; fi
