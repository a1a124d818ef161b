#!/bin/sh
# comment.sh FILE: posts FILE as a comment of the merge request, in place of the
# one that an earlier pipeline has posted. The first line of FILE is a hidden
# marker, by which that one is found.
set -eu

if [ -z "${CI_MERGE_REQUEST_IID:-}" ]; then
  echo "No merge request, no comment."
  exit 0
fi
if [ -z "${ESD_COMMENT_TOKEN:-}" ]; then
  echo "ESD_COMMENT_TOKEN is not set, so there is no comment. The plan is an artifact of this job."
  exit 0
fi

notes=$CI_API_V4_URL/projects/$CI_PROJECT_ID/merge_requests/$CI_MERGE_REQUEST_IID/notes
marker=$(head -n 1 "$1")

# The token goes to curl through a file descriptor, not its command line, which
# other processes can read.
api() {
  printf 'header = "PRIVATE-TOKEN: %s"\n' "$ESD_COMMENT_TOKEN" |
    curl --silent --show-error --fail --config - "$@"
}

# Newest first, so an earlier comment is soon found.
id='' page=1
while [ -z "$id" ] && [ "$page" -le 20 ]; do
  list=$(api "$notes?per_page=100&order_by=created_at&sort=desc&page=$page")
  id=$(printf '%s' "$list" | jq -r --arg marker "$marker" \
    'first(.[] | select(.system | not) | select(.body | startswith($marker)) | .id) // empty')
  [ "$(printf '%s' "$list" | jq length)" -eq 100 ] || break
  page=$((page + 1))
done

body=$(mktemp)
trap 'rm -f "$body"' EXIT
jq -Rs '{body: .}' < "$1" > "$body"
if [ -n "$id" ]; then
  api --request PUT --header 'Content-Type: application/json' --data-binary "@$body" --output /dev/null "$notes/$id"
  echo "Replaced comment $id."
else
  api --request POST --header 'Content-Type: application/json' --data-binary "@$body" --output /dev/null "$notes"
  echo "Posted a comment."
fi
