package gunzip

import (
	"bytes"
	stdflate "compress/flate"
	stdgzip "compress/gzip"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/klauspost/compress/gzip"
)

func compressed(t testing.TB, level int, content []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z, err := stdgzip.NewWriterLevel(&b, level)
	if err == nil {
		_, err = z.Write(content)
	}
	if err == nil {
		err = z.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func decompressed(r io.Reader) ([]byte, error) {
	z, err := NewReader(r)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(z)
}

// contents are such that all kinds of blocks and of codes come.
func contents() map[string][]byte {
	random := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, 300_000)
	for i := range noise {
		noise[i] = byte(random.Uint32())
	}
	skewed := make([]byte, 500_000) // long codes
	for i := range skewed {
		for skewed[i] < 250 && random.Uint32()&3 != 0 {
			skewed[i]++
		}
	}
	list := map[string][]byte{
		"nothing": nil, "a byte": {'x'}, "noise": noise, "skewed": skewed,
		"zeros": make([]byte, 1_000_000),
		"text":  []byte(strings.Repeat("the quick brown fox jumps over the lazy dog; ", 20_000)),
		"far":   append(append(bytes.Clone(noise[:32768]), noise[:32768]...), noise[1:32768]...),
		"mixed": append(append(bytes.Clone(noise), make([]byte, 70_000)...), bytes.Repeat([]byte("abc"), 90_000)...),
	}
	for period := 2; period < 12; period++ {
		list[fmt.Sprint("of period ", period)] = bytes.Repeat(noise[:period], 50_000)
	}
	if program, err := os.ReadFile(os.Args[0]); err == nil {
		list["a program"] = program[:min(len(program), 4<<20)]
	}
	return list
}

func TestWhatWasCompressedComesBack(t *testing.T) {
	t.Parallel()
	for name, content := range contents() {
		for level := stdflate.HuffmanOnly; level <= stdflate.BestCompression; level++ {
			if len(content) > 1<<20 && level%3 != 0 {
				continue
			}
			got, err := decompressed(bytes.NewReader(compressed(t, level, content)))
			if err != nil || !bytes.Equal(got, content) {
				t.Errorf("%s at level %d: %d bytes, want %d: %v", name, level, len(got), len(content), err)
			}
		}
	}
}

func TestReadersMayBeSlowAndEndEarlyOrLate(t *testing.T) {
	t.Parallel()
	content := contents()["mixed"]
	data := compressed(t, 6, content)
	for name, r := range map[string]io.Reader{
		"a byte at a time":     iotest.OneByteReader(bytes.NewReader(data)),
		"halves":               iotest.HalfReader(bytes.NewReader(data)),
		"the end with data":    iotest.DataErrReader(bytes.NewReader(data)),
		"a byte, end and data": iotest.DataErrReader(iotest.OneByteReader(bytes.NewReader(data))),
	} {
		got, err := decompressed(r)
		if err != nil || !bytes.Equal(got, content) {
			t.Errorf("%s: %d bytes, want %d: %v", name, len(got), len(content), err)
		}
	}
	z, err := NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	if err := iotest.TestReader(z, content); err != nil {
		t.Error(err)
	}
}

func TestMembersAfterEachOtherAreOneStream(t *testing.T) {
	t.Parallel()
	content := contents()["text"]
	data := slicesOf(t, content)
	got, err := decompressed(bytes.NewReader(data))
	if err != nil || !bytes.Equal(got, content) {
		t.Errorf("%d bytes, want %d: %v", len(got), len(content), err)
	}
	// A member refers to nothing in the one before.
	var reference bytes.Buffer
	w, _ := stdflate.NewWriterDict(&reference, 9, content[:1000])
	_, _ = w.Write(content[:1000])
	w.Close()
	header := compressed(t, 9, nil)[:10]
	bad := append(append(bytes.Clone(compressed(t, 9, content[:1000])), header...), reference.Bytes()...)
	if _, err := decompressed(bytes.NewReader(append(bad, make([]byte, 8)...))); !errors.Is(err, ErrCorrupt) {
		t.Errorf("a match that reaches into another member gives %v", err)
	}
}

// slicesOf compresses content in members, some of which are empty.
func slicesOf(t *testing.T, content []byte) []byte {
	var data []byte
	for i := 0; len(content) > 0; i++ {
		n := min(len(content), i*7919%100_000)
		data = append(data, compressed(t, i%10, content[:n])...)
		content = content[n:]
	}
	return data
}

func TestHeadersMayHaveEverything(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	z := stdgzip.NewWriter(&b)
	z.Name, z.Comment, z.Extra = "a name", "a comment", []byte("and more")
	_, _ = z.Write([]byte("content"))
	z.Close()
	if got, err := decompressed(&b); err != nil || string(got) != "content" {
		t.Errorf("%q %v", got, err)
	}
}

func TestWhatIsCutOffIsTold(t *testing.T) {
	t.Parallel()
	content := contents()["a program"][:40_000]
	for level := range 10 {
		data := compressed(t, level, content)
		for n := range data {
			if n > 2000 && n < len(data)-200 && n%97 != 0 {
				continue
			}
			got, err := decompressed(bytes.NewReader(data[:n]))
			if !errors.Is(err, io.ErrUnexpectedEOF) || !bytes.HasPrefix(content, got) {
				t.Fatalf("%d of %d bytes at level %d: %d bytes of content, right ones: %t; %v", n, len(data), level, len(got), bytes.HasPrefix(content, got), err)
			}
		}
	}
	broken := errors.New("the network is down")
	if _, err := decompressed(io.MultiReader(bytes.NewReader(compressed(t, 6, content)[:9000]), iotest.ErrReader(broken))); !errors.Is(err, broken) {
		t.Errorf("an error of the reader became %v", err)
	}
}

func TestDamageIsSeen(t *testing.T) {
	t.Parallel()
	content := contents()["a program"][:30_000]
	data := compressed(t, 6, content)
	for i := range data {
		if i >= 3 && i < 10 { // flags, time and system do not count, or lead elsewhere
			continue
		}
		bad := bytes.Clone(data)
		bad[i] ^= 1 << (i % 8)
		if got, err := decompressed(bytes.NewReader(bad)); err == nil && !bytes.Equal(got, content) {
			t.Fatalf("a wrong byte at %d of %d was not seen", i, len(data))
		}
	}
	for name, bad := range map[string][]byte{
		"nothing": nil, "another format": []byte("PK\x03\x04 and more"), "rest behind it": append(bytes.Clone(data), "and more that is none"...),
	} {
		if _, err := decompressed(bytes.NewReader(bad)); err == nil {
			t.Errorf("%s was not seen", name)
		}
	}
}

// FuzzReader compares with the standard library.
func FuzzReader(f *testing.F) {
	for name, content := range contents() {
		content = content[:min(len(content), 5000)]
		for _, level := range []int{stdflate.HuffmanOnly, 0, 1, 9} {
			f.Add(compressed(f, level, content))
		}
		f.Add(append(compressed(f, 6, content), compressed(f, 6, []byte(name))...))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		const most = 4 << 20
		var want []byte
		z, wantErr := stdgzip.NewReader(bytes.NewReader(data))
		if wantErr == nil {
			want, wantErr = io.ReadAll(io.LimitReader(z, most))
		}
		var got []byte
		r, err := NewReader(bytes.NewReader(data))
		if err == nil {
			got, err = io.ReadAll(io.LimitReader(r, most))
		}
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("%v, and the standard library says %v", err, wantErr)
		}
		if n := min(len(got), len(want)); !bytes.Equal(got[:n], want[:n]) || err == nil && len(got) != len(want) {
			t.Fatalf("%d bytes, and the standard library has %d others", len(got), len(want))
		}
	})
}

func BenchmarkReader(b *testing.B) {
	var files []string
	for _, file := range []string{os.Getenv("ESD_BENCH_GZIP"), os.Args[0]} {
		if file != "" {
			files = append(files, file)
		}
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			b.Fatal(err)
		}
		if r, err := stdgzip.NewReader(bytes.NewReader(content)); err == nil {
			content, _ = io.ReadAll(r)
		}
		data := compressed(b, 6, content)
		for name, open := range map[string]func(io.Reader) (io.Reader, error){
			"ours":      func(r io.Reader) (io.Reader, error) { return NewReader(r) },
			"standard":  func(r io.Reader) (io.Reader, error) { return stdgzip.NewReader(r) },
			"klauspost": func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) },
		} {
			b.Run(name, func(b *testing.B) {
				b.SetBytes(int64(len(content)))
				buf := make([]byte, 512<<10)
				for b.Loop() {
					z, err := open(bytes.NewReader(data))
					if err != nil {
						b.Fatal(err)
					}
					if _, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{z}, buf); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
