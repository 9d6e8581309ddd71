#!/bin/sh
# Checks that read the sources: tests/lint.sh BUILD. One line each, what is wrong below it; exit code 1
# if one fails. The tools are named in the Makefile: make deps-lint installs them.
cd "$(dirname "$0")/.." || exit 1
medgraft=$1/medgraft
status=0
out=$(mktemp)
trap 'rm -f "$out"' EXIT

for tool in clang-format cppcheck shellcheck; do
    command -v $tool >/dev/null && continue
    echo "$tool is not installed: make deps-lint" >&2
    exit 1
done

lint() { # lint NAME FUNCTION
    if $2 >"$out" 2>&1; then
        echo "ok      $1"
    else
        echo "FAILED  $1"
        head -n 60 "$out"
        status=1
    fi
}

format() { clang-format --dry-run -Werror main.c ./*/*.[ch]; }

layers() { sh tests/check_layers.sh; }

static_analysis() {
    mkdir -p build/cppcheck &&
        cppcheck --quiet -j2 --cppcheck-build-dir=build/cppcheck --error-exitcode=1 \
            --enable=warning,performance,portability --suppress=missingIncludeSystem \
            --suppressions-list=tests/cppcheck.supp --std=c11 -D_GNU_SOURCE -I. \
            main.c runtime nn models datasets shard pretrain finetune tests
}

# Scripts that others read have no first line of their own: they are bash, and give and use variables
# across files. Lists of words are split on purpose.
scripts() {
    for f in .ci/run jobs/*.sh jobs/*/*.sh jobs/*/*.sbatch tests/*.sh tests/cli/*.sh; do
        [ -e "$f" ] || continue
        case $(head -n 1 "$f") in
        '#!'*) set -- ;;
        *) set -- -s bash ;;
        esac
        shellcheck -S warning -e SC2154,SC2034,SC2046 "$@" "$f" || return 1
    done
}

# No file may hold a path of the machine it was written on: homes, or where this checkout lies.
paths() {
    here="/(home/[a-z]|Users/[a-z]|root/)"
    parent=$(dirname "$PWD")
    case $parent in
    / | /tmp | /data | /opt | /usr/*) here="$here|$PWD/" ;;
    *) here="$here|$parent/" ;;
    esac
    ! grep -rlE --exclude-dir=.git --exclude-dir=build --exclude-dir=runs --exclude=medgraft \
        "(^|[^a-zA-Z0-9_.])($here)" .
}

settings_page() {
    "$medgraft" --config-markdown | diff docs/config.md - && return
    echo "docs/config.md is not what the option tables say: make docs"
    return 1
}

lint "format (make format)" format
lint "folder order, one home per library" layers
lint "cppcheck" static_analysis
lint "shellcheck" scripts
lint "no paths of this machine" paths
lint "docs/config.md" settings_page
exit $status
