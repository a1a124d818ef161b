package binary

import (
	"bytes"
	"testing"
)

// spackScalars are what Spack 1.2 wrote for lists of one name:
// spack.util.spack_yaml.dump({"k": [name]}, default_flow_style=True).
var spackScalars = []struct{ name, written string }{
	{"a", "a"},
	{"a b", "a b"},
	{"a: b", "'a: b'"},
	{"a:b", "a:b"},
	{"a #b", "'a #b'"},
	{"a#b", "a#b"},
	{"#a", "'#a'"},
	{"-", "'-'"},
	{"- a", "'- a'"},
	{"-a", "-a"},
	{"?", "'?'"},
	{"?a", "?a"},
	{"? a", "? a"},
	{":", "':'"},
	{":a", ":a"},
	{"a:", "'a:'"},
	{"true", "'true'"},
	{"True", "'True'"},
	{"yes", "yes"},
	{"on", "on"},
	{"null", "'null'"},
	{"~", "'~'"},
	{"1", "'1'"},
	{"1.5", "'1.5'"},
	{"0x1f", "'0x1f'"},
	{"0o17", "'0o17'"},
	{"1e5", "'1e5'"},
	{"1_000", "'1_000'"},
	{"2001-01-01", "'2001-01-01'"},
	{".5", "'.5'"},
	{".inf", "'.inf'"},
	{"=", "'='"},
	{"<<", "'<<'"},
	{"*a", "'*a'"},
	{"&a", "'&a'"},
	{"!a", "'!a'"},
	{"|a", "'|a'"},
	{">a", "'>a'"},
	{"'a'", "\"'a'\""},
	{"it's", "it's"},
	{"a\"b", "a\"b"},
	{"\"a\"", "'\"a\"'"},
	{"%a", "'%a'"},
	{"@a", "'@a'"},
	{"`a", "'`a'"},
	{"a,b", "'a,b'"},
	{"[a", "'[a'"},
	{"a]", "'a]'"},
	{"{a", "'{a'"},
	{"a}", "'a}'"},
	{"a{b", "'a{b'"},
	{"\u00fc", "\u00fc"},
	{"a\u0009b", "\"a\\tb\""},
	{"a\u000ab", "\"a\\nb\""},
	{"a\\b", "a\\b"},
	{" a", "' a'"},
	{"a ", "'a '"},
	{"", "''"},
	{"---", "'---'"},
	{"...", "'...'"},
	{"---a", "'---a'"},
	{"\U0001d4b3", "\U0001d4b3"},
	{"\u00a0x", "\u00a0x"},
	{"\u007f", "\"\\x7F\""},
	{"\u001b", "\"\\e\""},
	{"lib/python3.11/site-packages/a b.py", "lib/python3.11/site-packages/a b.py"},
	{"+1", "'+1'"},
	{"-1", "'-1'"},
	{"-.5", "'-.5'"},
	{"0b1", "'0b1'"},
	{"12:30", "12:30"},
	{"1:30", "1:30"},
	{"a?b", "a?b"},
	{"0", "'0'"},
	{"007", "'007'"},
	{"08", "'08'"},
	{"_1", "_1"},
	{"+", "+"},
	{"+_", "'+_'"},
	{"\ufeffx", "\"\\uFEFFx\""},
	{"a\u2028b", "'a\u2028b'"},
	{"\u0085", "'\u0085'"},
	{"x'y z", "x'y z"},
	{"a'b: c", "\"a'b: c\""},
	{"'", "\"'\""},
	{"null/x", "null/x"},
	{"1.", "'1.'"},
	{"1.2.3", "1.2.3"},
	{"e", "e"},
	{"0x", "0x"},
	{"1e", "1e"},
	{"\u00e9: x", "'\u00e9: x'"},
	{"inf", "inf"},
	{".nan", "'.nan'"},
	{".NaN", "'.NaN'"},
	{"<", "<"},
	{"==", "=="},
	{"~a", "~a"},
	{"NULL", "'NULL'"},
	{"nULL", "nULL"},
	{"2001-1-1", "2001-1-1"},
	{"2001-01-01 10:00:00", "'2001-01-01 10:00:00'"},
	{"no", "no"},
	{"n", "n"},
	{"y", "y"},
	{"_", "_"},
	{"-_1", "'-_1'"},
	{"0o", "0o"},
	{"0_", "'0_'"},
}

func TestNamesAreWrittenAsSpackWritesThem(t *testing.T) {
	t.Parallel()
	for _, c := range spackScalars {
		var b bytes.Buffer
		w := flowWriter{b: &b}
		w.scalar(c.name)
		if b.String() != c.written || w.err != nil {
			t.Errorf("%q is written %s, Spack writes %s (%v)", c.name, b.String(), c.written, w.err)
		}
	}
}

func TestNamesAreReadAsTheyWereWritten(t *testing.T) {
	t.Parallel()
	for _, c := range spackScalars {
		n, err := parseFlow([]byte("{k: [" + c.written + "]}\n"))
		if err != nil {
			t.Errorf("%s: %v", c.written, err)
			continue
		}
		list := n.value("k")
		if len(list.items) != 1 || list.items[0].text != c.name {
			t.Errorf("%s is read as %+v", c.written, list.items)
		}
	}
}
