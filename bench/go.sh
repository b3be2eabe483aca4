#!/usr/bin/env bash
# Prints the path of a Go command for the comparison programs in bench/go. The first run unpacks Debian's packages into
# artifacts/go, installing nothing: Go 1.27 from backports where that is to be had, else the release's own Go.
# Exit code: 0, or 69 when there is no Go to be had.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
home=$root/artifacts/go
command=$home/bin/go

say() { printf '%s\n' "go.sh: $*" >&2; }

if [ "${1:-}" = -h ] || [ "${1:-}" = --help ]; then
    sed -n '2,4s/^# //p' "${BASH_SOURCE[0]}"
    exit 0
fi
if [ -x "$command" ]; then
    printf '%s\n' "$command"
    exit 0
fi
for tool in apt-get apt-config dpkg dpkg-deb; do
    command -v "$tool" >/dev/null || { say "no Go: $tool is missing, this needs Debian's or Ubuntu's packages"; exit 69; }
done
architecture=$(dpkg --print-architecture)
[ "$architecture" = amd64 ] || { say "no Go: the comparison is for amd64, this is $architecture"; exit 69; }

# One at a time; whoever waited finds the work done.
mkdir -p "$home"
exec 9>"$home/lock"
flock 9
if [ -x "$command" ]; then
    printf '%s\n' "$command"
    exit 0
fi

# The mirror this machine uses for its release: the first address of either form of source list that offers the
# release's component main.
release=$(. /etc/os-release && printf '%s' "${VERSION_CODENAME:-}")
distribution=$(. /etc/os-release && printf '%s' "${ID:-}")
mirror_of() {
    local file
    for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.sources /etc/apt/sources.list.d/*.list; do
        [ ! -f "$file" ] || { cat "$file"; echo; }
    done | awk -v suite="$1" '
        function has(list, word,    words, n, i) {
            n = split(list, words)
            for (i = 1; i <= n; i++) if (words[i] == word) return 1
            return 0
        }
        function offer(uri, suites, components) {
            if (found == "" && uri != "" && has(suites, suite) && has(components, "main")) found = uri
        }
        # a .sources file: paragraphs of fields
        /^[[:space:]]*$/ { offer(uri, suites, components); uri = suites = components = "" }
        /^URIs:/ { uri = $2 }
        /^Suites:/ { suites = $0 }
        /^Components:/ { components = $0 }
        # a .list file: a line each
        /^deb[[:space:]]/ {
            sub(/\[[^]]*\]/, "")
            address = $2
            name = $3
            $1 = $2 = $3 = ""
            offer(address, name, $0)
        }
        END { print found }'
}
mirror=$(mirror_of "$release")
[ -n "$mirror" ] || { say "no Go: apt's sources name no mirror of ${release:-this release}"; exit 69; }
keyring=/usr/share/keyrings/$distribution-archive-keyring.gpg
signed=''
[ ! -f "$keyring" ] || signed="[signed-by=$keyring]"

# fetch SUITE COMPONENTS VERSION: unpacks golang-VERSION into $home/unpacked; apt works on directories of its own.
fetch() {
    local suite=$1 components=$2 version=$3 apt=$home/apt
    rm -rf "$apt" "$home/unpacked"
    mkdir -p "$apt/etc/preferences.d" "$apt/lists/partial" "$apt/cache/archives/partial" "$apt/debs" "$home/unpacked"
    : >"$apt/status"
    printf 'deb %s %s %s %s\n' "$signed" "$mirror" "$suite" "$components" >"$apt/etc/sources.list"
    local options=(
        -q -o Dir::Etc::SourceList="$apt/etc/sources.list" -o Dir::Etc::SourceParts=- -o Dir::Etc::Preferences=-
        -o Dir::Etc::PreferencesParts="$apt/etc/preferences.d" -o Dir::State="$apt" -o Dir::State::Lists="$apt/lists"
        -o Dir::State::Status="$apt/status" -o Dir::Cache="$apt/cache" -o Dir::Cache::Archives="$apt/cache/archives"
        -o APT::Get::List-Cleanup=false -o APT::Update::Error-Mode=any -o Acquire::Languages=none
        -o APT::Update::Post-Invoke-Success= -o APT::Sandbox::User="$(id -un)"
    )
    say "looking for Go $version in $suite"
    apt-get "${options[@]}" update >"$apt/log" 2>&1 || { say "$suite: not reachable ($(tail -n 1 "$apt/log"))"; return 1; }
    (cd "$apt/debs" && apt-get "${options[@]}" download "golang-$version-go" "golang-$version-src") >>"$apt/log" 2>&1 ||
        { say "$suite: no Go $version ($(tail -n 1 "$apt/log"))"; return 1; }
    local deb
    for deb in "$apt"/debs/*.deb; do
        dpkg -x "$deb" "$home/unpacked" || return 1
    done
    [ -x "$home/unpacked/usr/lib/go-$version/bin/go" ] || { say "$suite: the package holds no go"; return 1; }
    goroot=$home/unpacked/usr/lib/go-$version
}

goroot=''
found=0
case $release in
    bookworm) set -- "trixie-backports 1.27" "bookworm 1.19" ;;
    trixie) set -- "trixie-backports 1.27" "trixie 1.24" ;;
    *) set -- "$release 1.27" "$release 1.24" "$release 1.22" ;;
esac
components=main
[ "$distribution" != ubuntu ] || components="main universe"
for candidate in "$@"; do
    read -r suite version <<<"$candidate"
    if fetch "$suite" "$components" "$version"; then
        found=1
        break
    fi
done
rm -rf "$home/apt"
[ "$found" = 1 ] || { say "no Go: none of the suites has one"; exit 69; }

# A command of its own, so that callers need not know where Go's root is.
mkdir -p "$home/bin"
cat >"$command.new" <<TXT
#!/bin/sh
export GOROOT='$goroot' GOTOOLCHAIN=local GOFLAGS=-mod=mod CGO_ENABLED=0 GOPROXY=off
export GOCACHE="\${GOCACHE:-$home/cache}" GOPATH="\${GOPATH:-$home/path}"
exec "\$GOROOT/bin/go" "\$@"
TXT
chmod +x "$command.new"
"$command.new" version >&2 || { say "no Go: the one unpacked does not run"; rm -rf "$home/unpacked" "$command.new"; exit 69; }
mv "$command.new" "$command"
printf '%s\n' "$command"
