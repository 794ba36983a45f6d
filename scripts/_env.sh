# Makes and reuses the Python environments of this repository. Sourced by the other scripts.
#
#   ensure_environment .venv dev        # then $VENV/bin/python, $VENV/bin/whence, ...
#
# Needs bash and Python 3.11 or newer. An environment is good when its stamp matches; the stamp is
# written last, so an interrupted installation is made again from nothing.

ROOT="$(cd -P "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"

# Nothing of the caller's Python may leak in: neither an active environment nor import paths.
if [[ -n "${VIRTUAL_ENV:-}" ]]; then
  PATH=":$PATH:"
  PATH="${PATH//":$VIRTUAL_ENV/bin:"/:}"
  PATH="${PATH#:}"
  PATH="${PATH%:}"
fi
unset VIRTUAL_ENV CONDA_PREFIX PYTHONHOME PYTHONPATH PIP_PREFIX PIP_TARGET PIP_USER
export PYTHONNOUSERSITE=1 PIP_DISABLE_PIP_VERSION_CHECK=1

say() { printf '%s\n' "$*" >&2; }

# Prints the first usable interpreter. 3.11 comes first because it is the tested one; each is tried,
# since a name on the PATH may be a launcher without a Python behind it, or lack ensurepip.
find_python() {
  local name
  for name in python3.11 python3.12 python3.13 python3.14 python3 python; do
    if "$name" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' \
      >/dev/null 2>&1; then
      command -v "$name"
      return
    fi
  done
  say "Whence needs Python 3.11 or newer with its venv module; none was found on the PATH."
  say "Install one (on Debian or Ubuntu: apt install python3 python3-venv) and run this again."
  return 1
}

# environment_key EXTRA [LIST]: what an environment depends on. The folder is part of it: a copied
# environment still points at the place it was copied from.
environment_key() {
  printf '%s\n' "$ROOT" "$1"
  cat "$ROOT/pyproject.toml" "$ROOT/constraints.txt" ${2:+"$ROOT/$2"}
}

# ensure_environment FOLDER EXTRA [LIST]: sets VENV to an environment with whence[EXTRA] installed.
# LIST is a file of more packages in exact versions. They come last and without what they declare,
# so that a peer can have versions that the constraints exclude.
ensure_environment() {
  VENV="$ROOT/$1"
  local extra="$2" list="${3:-}" stamp="$VENV/whence-installed" key python
  key="$(environment_key "$extra" "$list")"
  if [[ -f "$stamp" && "$(<"$stamp")" == "$key" ]] && "$VENV/bin/python" -c '' 2>/dev/null; then
    return
  fi

  # Same place and working Python: only the lists changed, so pip needs to fetch the difference.
  # All else starts from nothing. (CI always does, so a package left over here hides nothing there.)
  if [[ -f "$stamp" && "$(head -n 1 "$stamp")" == "$ROOT" ]] &&
    "$VENV/bin/python" -c '' 2>/dev/null; then
    say "Updating $1 ..."
  else
    python="$(find_python)" || return 1
    say "Making $1 with $("$python" --version), once; this takes a minute or a few ..."
    "$python" -m venv --clear "$VENV" || return 1
  fi
  rm -f "$stamp"
  install_packages "$extra" "$list" >&2 || {
    say "Installing into $1 failed; pip's message above says why. Run this again to retry."
    return 1
  }
  printf '%s\n' "$key" >"$stamp"
}

# install_packages EXTRA LIST: pip's part of it.
install_packages() (
  pip=("$VENV/bin/python" -m pip install --quiet)
  cd "$ROOT" && "${pip[@]}" -c constraints.txt -e ".[$1]" || return 1
  [[ -z "$2" ]] || "${pip[@]}" --no-deps -r "$2"
)
