#!/bin/sh
#
# Runs a script whose real interpreter stands in its second line, because the
# path of that is too long for the first one:
#
#     #!/bin/sh /path/to/bin/sbang
#     #!/a/very/long/path/to/python3 -E
#
# Lua, node and php need the second line to be a comment: --!, //!, <?php #!...?>
# With SBANG_DEBUG set, the command is printed and not run.

fail() {
    echo "sbang: $1" >&2
    exit 1
}

[ "$#" -ge 1 ] || fail "the script to run is missing"
[ -f "$1" ] || fail "$1: no such file"

command=
{
    for number in 1 2; do
        IFS= read -r text || [ -n "$text" ] || break
        case $text in
        '#!'*) command=${text#??} ;;
        '--!'* | '//!'*) command=${text#???} ;;
        '<?php #!'*)
            command=${text#'<?php #!'}
            command=${command%'?>'}
            ;;
        esac
    done
} <"$1"

# The words of the command: paths with blanks have never worked in first lines.
set -f
script=$1
shift
first= second=
for word in $command; do
    if [ -z "$first" ]; then
        first=$word
    elif [ -z "$second" ]; then
        second=$word
    fi
done
[ -n "$first" ] || fail "$script names no interpreter in its first two lines"

program=${first##*/}
[ "${second##*/}" != sbang ] || program=sbang
if [ "$program" = env ] && [ -n "$second" ]; then
    program=${second##*/}
fi
case $program in
sbang) fail "$script would run sbang again and again" ;;
# These two look for an interpreter in the first line themselves; -x makes them
# skip to the line that names them.
perl | ruby) set -- -x "$script" "$@" ;;
*) set -- "$script" "$@" ;;
esac

if [ -n "$SBANG_DEBUG" ]; then
    # shellcheck disable=SC2086
    echo $command "$@"
else
    # shellcheck disable=SC2086
    exec $command "$@"
fi
