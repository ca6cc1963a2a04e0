#!/usr/bin/env bash
# Install DCMTK, dicom3tools and Orthanc for the tests: other implementations of DICOM, to write and read what ours
# reads, to send and archive, and to hold what ours writes to the standard; and systemd, to read the unit of deploy/edge.
# Quick when they are already there.
set -euo pipefail

tools=(dcmconv dcmcjpeg dcmdjpeg dcmcjpls dcmdjpls dcmcrle dsrdump dciodvfy storescu echoscu /usr/sbin/Orthanc systemd-analyze)

is_whole() {
    for tool in "${tools[@]}"; do command -v "$tool" >/dev/null || return 1; done
}

if is_whole; then exit 0; fi
if [[ $EUID -ne 0 ]] || ! command -v apt-get >/dev/null; then
    echo "error: the tests need DCMTK, dicom3tools, Orthanc and systemd (${tools[*]}), and only root on Debian or Ubuntu can" \
        "have them installed here; install the packages dcmtk, dicom3tools, orthanc and systemd and try again" >&2
    exit 2
fi
apt-get -qq update
RUNLEVEL=1 apt-get -qq install --yes --no-install-recommends dcmtk dicom3tools orthanc systemd >/dev/null # starts no service
is_whole
