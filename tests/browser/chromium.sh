#!/usr/bin/env bash
# Install Chromium for the tests of the site console: a real browser. Quick when it is already there.
set -euo pipefail

if [[ -x /usr/bin/chromium ]]; then exit 0; fi
if [[ $EUID -ne 0 ]] || ! command -v apt-get >/dev/null; then
    echo "error: the tests need Debian's Chromium (/usr/bin/chromium), and only root on Debian or Ubuntu can have it" \
        "installed here; install the packages chromium and fonts-dejavu-core and try again" >&2
    exit 2
fi
apt-get -qq update
apt-get -qq install --yes --no-install-recommends chromium fonts-dejavu-core >/dev/null
[[ -x /usr/bin/chromium ]]
