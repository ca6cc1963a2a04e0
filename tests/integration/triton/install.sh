#!/usr/bin/env bash
# Install a real Triton server for the tests into .cache/triton, without a container and without touching any other
# environment. Quick when it is already there.
#
#   tests/integration/triton/install.sh [PYTHON]     PYTHON: a CPython 3.11, by default .venv-dev/bin/python
#
# server/   nvidia-pytriton's wheel: of it only tritonserver 2.51, its libraries and its Python backend are used
# stub/     the environment in which that backend runs a model. numpy 1.26, because this server's backend hands over
#           empty arrays under numpy 2 (triton-inference-server/python_backend pull request 384)
# lib/      libpython3.11, which the backend's stub links to; unpacked from Debian's package when Python brings none
set -euo pipefail
cd "$(dirname "$0")/../../.."

python=$(realpath -s "${1:-.venv-dev/bin/python}")
target=.cache/triton
wanted="nvidia-pytriton==0.7.0 numpy==1.26.4 onnxruntime==1.31.1"
stamp="$target/installed"
library=libpython3.11.so.1.0

if [[ -f $stamp && $(<"$stamp") == "$wanted" ]] && "$target/stub/bin/python" -c '' 2>/dev/null; then
    exit 0
fi

read -r server_package stub_packages <<<"$wanted"
rm -rf "$target"
mkdir -p "$target/lib"
"$python" -m pip install --quiet --no-deps --target "$target/server" "$server_package"
triton="$target/server/pytriton/tritonserver"
cp "$triton/python_backend_stubs/3.11/triton_python_backend_stub" "$triton/backends/python/"
"$python" -m venv "$target/stub"
# shellcheck disable=SC2086  # one word a package
"$target/stub/bin/python" -m pip install --quiet $stub_packages

own=$("$python" -c 'import sysconfig; print(sysconfig.get_config_var("LIBDIR"))')
if [[ -f $own/$library ]]; then
    ln -s "$own/$library" "$target/lib/$library"
elif ! ldconfig -p | grep -q "$library"; then
    if ! command -v apt-get >/dev/null; then
        echo "error: Triton's Python backend needs $library, and this system has no apt-get to bring it;" \
            "put the file into $target/lib" >&2
        exit 2
    fi
    if [[ $EUID -eq 0 ]]; then apt-get -qq update; fi
    (cd "$target/lib" && apt-get -qq download libpython3.11 && dpkg --extract libpython3.11_*.deb .)
    find "$target/lib/usr" -name "$library*" -exec mv -t "$target/lib" {} +
    rm -rf "$target"/lib/usr "$target"/lib/*.deb
fi
echo "$wanted" >"$stamp"
