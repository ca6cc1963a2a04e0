#!/usr/bin/env bash
# Install DCMTK for the tests: a second implementation of DICOM, to write and read what ours reads. Quick when it is
# already there.
set -euo pipefail

tools=(dcmconv dcmcjpeg dcmdjpeg dcmcjpls dcmdjpls dcmcrle)

is_whole() {
    for tool in "${tools[@]}"; do command -v "$tool" >/dev/null || return 1; done
}

if is_whole; then exit 0; fi
if [[ $EUID -ne 0 ]] || ! command -v apt-get >/dev/null; then
    echo "error: the tests need DCMTK (${tools[*]}), and only root on Debian or Ubuntu can have it installed here;" \
        "install the package dcmtk and try again" >&2
    exit 2
fi
apt-get -qq update
apt-get -qq install --yes --no-install-recommends dcmtk >/dev/null
is_whole
