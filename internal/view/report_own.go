package view

import "regexp"

// ReportHead is how many bytes at the beginning of a file [IsReport] needs.
const ReportHead = 512

// reportHeads are the beginnings of what this package writes into files: of the
// JSON documents, of the stream, of a comment, of JUnit's XML, and all of what
// GitLab reads.
var reportHeads = regexp.MustCompile(`\A(?:` +
	`\{\n"format_version":"[0-9.]+",\n"esd_version":"|` +
	`\{"@level":"info","@message":"esd [^"]*","@module":"esd\.ui",|` +
	`<!-- esd-plan[ -]|` +
	`<\?xml [^>]*\?>\n<testsuites>\n  <testsuite name="esd |` +
	`\{"create":[0-9]+,"update":[0-9]+,"delete":[0-9]+\}\n\z)`)

// IsReport tells by its beginning whether a file is a report that esd has
// written. Only such a file may go when a new report of it fails: another one
// stands there by mistake, and may be all that somebody has.
func IsReport(head []byte) bool { return reportHeads.Match(head) }
