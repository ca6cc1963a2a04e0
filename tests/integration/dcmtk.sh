#!/usr/bin/env bash
# Install DCMTK and dicom3tools for the tests: other implementations of DICOM, to write and read what ours reads, and to
# hold what ours writes to the standard. Quick when they are already there.
set -euo pipefail

tools=(dcmconv dcmcjpeg dcmdjpeg dcmcjpls dcmdjpls dcmcrle dsrdump dciodvfy)

is_whole() {
    for tool in "${tools[@]}"; do command -v "$tool" >/dev/null || return 1; done
}

if is_whole; then exit 0; fi
if [[ $EUID -ne 0 ]] || ! command -v apt-get >/dev/null; then
    echo "error: the tests need DCMTK and dicom3tools (${tools[*]}), and only root on Debian or Ubuntu can have them" \
        "installed here; install the packages dcmtk and dicom3tools and try again" >&2
    exit 2
fi
apt-get -qq update
apt-get -qq install --yes --no-install-recommends dcmtk dicom3tools >/dev/null
is_whole
