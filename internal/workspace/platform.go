package workspace

import (
	"bufio"
	"os"
	"runtime"
	"strings"
)

// HostPlatform says what is built on this machine, as
// system/architecture/distribution: linux/amd64/debian-12. Programs that were
// linked on one distribution need not run on another, so it is part of the
// content key of what is built without an image. Source: os-release(5).
func HostPlatform() string {
	platform := runtime.GOOS + "/" + runtime.GOARCH
	for _, path := range []string{"/etc/os-release", "/usr/lib/os-release"} {
		f, err := os.Open(path)
		if err != nil {
			continue
		}
		defer f.Close()
		if name := distribution(bufio.NewScanner(f)); name != "" {
			return platform + "/" + name
		}
	}
	return platform
}

// distribution is ID and VERSION_ID, without what is not fit for a name.
func distribution(lines *bufio.Scanner) string {
	fields := map[string]string{}
	for lines.Scan() {
		if name, value, ok := strings.Cut(lines.Text(), "="); ok {
			fields[name] = strings.Map(func(r rune) rune {
				if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._", r) {
					return r
				}
				return -1
			}, value)
		}
	}
	if fields["ID"] == "" || fields["VERSION_ID"] == "" {
		return fields["ID"]
	}
	return fields["ID"] + "-" + fields["VERSION_ID"]
}
