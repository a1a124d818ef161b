#!/usr/bin/env bash
# Makes the pictures of the README anew, from real runs of the quickstart in a
# copy of examples/. Needs tmux; podman too, for running the image.
set -euo pipefail
cd "$(dirname "$0")/../.."
images=$PWD/docs/images
work=$(mktemp -d)
server=esd-capture-$$
trap 'tmux -L "$server" kill-server 2>/dev/null || true; rm -rf "$work"' EXIT

go build -o "$work/bin/esd" ./cmd/esd
go build -o "$work/bin/termsvg" ./tools/termsvg
mkdir "$work/stack" && cp -r examples "$work/stack/" && rm -rf "$work"/stack/examples/{.esd,dist}

# shoot NAME COLUMNS ROWS TITLE COMMAND...: types the commands one after the
# other and takes a picture when the last has ended.
shoot() {
  local name=$1 columns=$2 rows=$3 title=$4
  shift 4
  printf '%s\n' 'PS1="\[\e[1;34m\]~/stack\[\e[0m\] $ "' "PATH=$work/bin:\$PATH" 'unset CI' \
    "PROMPT_COMMAND='tmux -L $server wait-for -S prompt'" >"$work/rc"
  tmux -L "$server" -f /dev/null new-session -d -s "$name" -x "$columns" -y "$rows" -c "$work/stack" \
    "env LANG=C.UTF-8 bash --noprofile --rcfile $work/rc -i"
  tmux -L "$server" wait-for prompt
  sleep 0.5
  for command in "$@"; do
    tmux -L "$server" send-keys -t "$name" -l "$command"
    tmux -L "$server" send-keys -t "$name" Enter
    tmux -L "$server" wait-for prompt
    sleep 0.3
  done
  # Without the prompt that waits for the next command.
  tmux -L "$server" capture-pane -p -e -t "$name" | sed -e :a -e '/^\n*$/{$d;N;ba' -e '}' | sed '$d' |
    "$work/bin/termsvg" "$title" >"$images/$name.svg"
  tmux -L "$server" kill-session -t "$name" 2>/dev/null || true
}

shoot quickstart 108 50 "from C sources to an image that runs" \
  "esd apply --auto-approve examples/quickstart.hcl" \
  "podman run --quiet --rm oci:examples/dist/quickstart:1.0"

shoot edit 108 24 "what an edit costs, before it happens" \
  "sed -i 's/ROWS = 12/ROWS = 16/' examples/quickstart/spike/spike.c" \
  "esd plan examples/quickstart.hcl"
