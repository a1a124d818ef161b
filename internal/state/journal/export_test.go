package journal

// Line makes a line with a right checksum, for tests of wrong contents.
func Line(n, synced int64, field, value string) []byte {
	return appendLine(nil, n, synced, field, []byte(value))
}

// Parse is parse.
var Parse = parse
