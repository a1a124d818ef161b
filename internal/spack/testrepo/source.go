package testrepo

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// epoch is the modification time of everything: digests must not change.
var epoch = time.Unix(1_600_000_000, 0)

// source is one file that Spack fetches.
type source struct {
	file string
	// top and files make a tar.gz; text alone makes a plain file.
	top   string
	files map[string]string
	text  string
}

func (s source) bytes() ([]byte, error) {
	if s.files == nil {
		return []byte(s.text), nil
	}
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	w := tar.NewWriter(zip)
	for _, name := range slices.Sorted(maps.Keys(s.files)) {
		text := s.files[name]
		mode := int64(0o644)
		if strings.HasSuffix(name, ".sh") {
			mode = 0o755
		}
		header := &tar.Header{Name: s.top + "/" + name, Mode: mode, Size: int64(len(text)), ModTime: epoch, Format: tar.FormatUSTAR}
		if err := w.WriteHeader(header); err != nil {
			return nil, err
		}
		if _, err := w.Write([]byte(text)); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	err := zip.Close()
	return out.Bytes(), err
}

func sha256Hex(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// writeGit makes the repository of toy-git and says which commit it has. Author
// and time are fixed, so the commit is always the same.
func writeGit(dir string) (commit string, err error) {
	if err := writeFile(filepath.Join(dir, "install.sh"), gitInstall); err != nil {
		return "", err
	}
	if err := os.Chmod(filepath.Join(dir, "install.sh"), 0o755); err != nil {
		return "", err
	}
	for _, args := range [][]string{{"init", "-q", "-b", "main"}, {"add", "-A"}, {"commit", "-q", "-m", "Toy"}, {"rev-parse", "HEAD"}} {
		cmd := exec.Command("git", append([]string{"-c", "core.hooksPath=/dev/null", "-C", dir}, args...)...)
		date := epoch.UTC().Format(time.RFC3339)
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "GIT_CONFIG_NOSYSTEM=1",
			"GIT_AUTHOR_NAME=t", "GIT_AUTHOR_EMAIL=t@example.org", "GIT_AUTHOR_DATE=" + date,
			"GIT_COMMITTER_NAME=t", "GIT_COMMITTER_EMAIL=t@example.org", "GIT_COMMITTER_DATE=" + date}
		out, err := cmd.CombinedOutput()
		if err != nil {
			return "", fmt.Errorf("git %s: %w: %s", args[0], err, out)
		}
		commit = strings.TrimSpace(string(out))
	}
	return commit, nil
}
