package main

import (
	"encoding/xml"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestALineIsDividedWhereItsStyleChanges(t *testing.T) {
	t.Parallel()
	var p parser
	got := p.line("a \x1b[1;32mb€\x1b[0mc\x1b[38;5;1md")
	want := []span{
		{column: 0, text: "a "},
		{style: style{color: palette[2], bold: true}, column: 2, text: "b€"},
		{column: 4, text: "c"},
		{style: style{color: palette[1]}, column: 5, text: "d"},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(span{}, style{})); diff != "" {
		t.Errorf("spans (-want +got):\n%s", diff)
	}
}

func TestThePictureIsWellFormed(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	if err := run(strings.NewReader("<a> & \x1b[31mb\x1b[\n\x1b[2mc\n\n"), &out, `say "x" & y`); err != nil {
		t.Fatal(err)
	}
	if err := xml.Unmarshal([]byte(out.String()), new(struct{})); err != nil {
		t.Errorf("%v in:\n%s", err, out.String())
	}
}
