package s3

import (
	"net/http"
	"strings"
	"testing"
)

func TestARefusalSaysWhatToCheck(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		code   string
		status int
		want   string
	}{
		"a wrong secret":                     {"SignatureDoesNotMatch", http.StatusForbidden, "check the credentials"},
		"an unknown key":                     {"InvalidAccessKeyId", http.StatusForbidden, "check the credentials"},
		"an unknown key, which is no page":   {"XAdminUserNotFound", http.StatusNotFound, "check the credentials"},
		"a right that is missing":            {"AccessDenied", http.StatusForbidden, "s3:PutObject"},
		"something that is not there at all": {"", http.StatusNotFound, fixServer},
	} {
		if got := fixOf(tc.code, tc.status); !strings.Contains(got, tc.want) {
			t.Errorf("%s: %s", name, got)
		}
	}
}
