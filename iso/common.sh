# Shared by run-qemu.sh and run-linux.sh, which set root, tool (their name), app and build before calling.

say() { printf '%s\n' "$tool: $*" >&2; }

samples() {
    local project name text
    for project in "$root"/samples/*/*.csproj; do
        name=$(basename "$project" .csproj)
        text=$(sed -n 's:.*<Description>\(.*\)</Description>.*:\1:p' "$project" | head -n 1)
        printf '  %-12s %s\n' "$name" "$text"
    done
}

wrong() {
    say "$*"
    { usage; echo; echo "samples:"; samples; } >&2
    exit 64
}

need() { [ $# -ge 2 ] && [ -n "$2" ] || wrong "$1 needs a value"; }

# Sets project and name from app: a sample's name or a project file.
find_project() {
    if [ -f "$root/samples/$app/$app.csproj" ]; then
        project=$root/samples/$app/$app.csproj
        name=$app
    elif [[ $app == *.csproj ]]; then
        [ -f "$app" ] || wrong "no such project: $app"
        project=$app
        name=$(basename "$app" .csproj)
    else
        wrong "unknown sample: $app"
    fi
}

# build_image CONFIGURATION FILE: builds unless build=0, and makes sure that FILE is there.
build_image() {
    if [ "$build" = 1 ]; then
        local log
        log=$(mktemp)
        if ! dotnet build "$project" -c "$1" -v q -nologo >"$log" 2>&1; then
            cat "$log" >&2
            rm -f "$log"
            say "the build failed"
            exit 65
        fi
        rm -f "$log"
    fi
    [ -f "$2" ] || { say "there is no image $(basename "$2"): build it first (leave --no-build out)"; exit 65; }
}
