#!/usr/bin/env bash
# Entry point: makes .venv from the hash lock, keeps it while the lock is unchanged, and then runs
# `python -m ftnoise` with the same arguments. Its own messages go to stderr.
set -euo pipefail

# A daemon may start it with closed streams: the files that are opened next would take their place,
# as bash's own script takes that of stderr.
for stream in 0 1 2; do
    if [[ ! -e /dev/fd/$stream || /dev/fd/$stream -ef ${BASH_SOURCE[0]} ]]; then
        eval "exec $stream<>/dev/null"
    fi
done

here=$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")
lock=$here/requirements.txt
venv=$here/.venv
stamp=$venv/made-from

log() { printf '%s\n' "$*" >&2; }
fail() { log "$@" && exit 2; }

find_python() {
    local python found="there is no Python 3.11 here"
    while read -r python; do
        "$python" -Ic 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null || continue
        "$python" -Ic 'import ensurepip, venv' 2>/dev/null && printf '%s' "$python" && return
        found="$python has no venv module"
    done < <(type -aP python3.11 python3)
    fail "ftnoise needs Python 3.11 with its venv module, but $found:" \
        "\`sudo apt-get install python3.11 python3.11-venv\`, or with Docker" \
        "\`docker build -t ftnoise -f docker/Dockerfile . &&" \
        "docker run --rm -it -v ftnoise-runs:/ftnoise/runs -v ftnoise-data:/data ftnoise\`."
}

pip_install() {
    "$venv/bin/python" -P -m pip install --disable-pip-version-check --require-hashes "$@" >&2 ||
        { log "The installation failed, see above; the same command tries again." && exit 1; }
}

install() {
    local python
    [[ $(uname -sm) == "Linux x86_64" ]] || fail "requirements.txt is for Linux x86_64, not $(uname -sm)."
    python=$(find_python)
    log "Making $venv with $python: about 2 minutes and 3 GB, once."
    trap 'exit 130' INT
    rm -rf -- "$venv"
    "$python" -P -m venv "$venv" >&2
    # One package comes as source only; it is built by what is locked, not by the newest there is.
    pip_install -r <(awk '/^[^ #]/ { keep = /^(setuptools|wheel)==/ } keep' "$lock")
    pip_install --no-build-isolation -r "$lock"
    # `import ftnoise` works in any folder.
    printf '%s\n' "$here" >"$venv/lib/python3.11/site-packages/ftnoise.pth"
    # Written last, so that an interrupted installation is made again.
    sha256sum <"$lock" >"$stamp"
}

is_current() {
    [[ -r $stamp && $(<"$stamp") == "$(sha256sum <"$lock")" ]] &&
        [[ $("$venv/bin/python" -V 2>/dev/null) == "Python 3.11."* ]]
}

hold() {
    flock --nonblock "$1" 9 && return
    log "Waiting for another ftnoise that makes or uses $venv."
    flock "$1" 9
}

unset PYTHONHOME PYTHONPATH
# A running program holds this lock shared, an installation holds it alone: two first starts install
# once, and a new lock file does not replace the environment of a running training.
if [[ -w $here ]]; then
    exec 9<>"$here/.venv.lock"
    hold --shared
    if ! is_current; then
        hold --exclusive
        is_current || install
        hold --shared
    fi
elif ! is_current; then
    fail "Expected $here to be writable, so that .venv can be made in it."
fi

# Tensors of megabytes come and go: memory that stays with the process is not cleared again for each.
export MALLOC_MMAP_THRESHOLD_=${MALLOC_MMAP_THRESHOLD_-4294967296}
export MALLOC_TRIM_THRESHOLD_=${MALLOC_TRIM_THRESHOLD_-4294967296}
# Safe path: the package of this checkout is used, never one in the current folder.
export PYTHONPATH=$here PYTHONSAFEPATH=1
export FTNOISE_PROGRAM=./reproduce.sh
export FTNOISE_RUNS=${FTNOISE_RUNS-$here/runs}
exec "$venv/bin/python" -m ftnoise "$@"
