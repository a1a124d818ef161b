package sandbox

import (
	"errors"
	"strings"
	"testing"
)

func TestChooseSaysWhatAndWhy(t *testing.T) {
	yes := func(name string) Level { return Level{Name: name, Works: true} }
	no := func(name, why string) Level { return Level{Name: name, Reason: why} }
	full := Report{UserNS: yes("userns"), MountNS: no("mountns", "only root can"), PIDNS: yes("pidns"), NetNS: yes("netns")}
	root := full
	root.MountNS = yes("mountns")
	rootOnly := root
	rootOnly.UserNS = no("userns", "user.max_user_namespaces is 0")
	noNet := full
	noNet.NetNS = no("netns", "user.max_net_namespaces is 0")
	nothing := Report{UserNS: no("userns", "seccomp refuses them"), MountNS: no("mountns", "only root can")}
	cases := map[string]struct {
		report Report
		want   string
		name   string // empty: an error
		says   []string
	}{
		"namespaces where they work":             {full, "", Namespace, []string{"namespace: private user and mount namespace", "network cut off"}},
		"namespaces of root":                     {root, "", Namespace, []string{"made as root"}},
		"namespaces of root without user ones":   {rootOnly, "", Namespace, []string{"no user namespace (user.max_user_namespaces is 0)"}},
		"namespaces with the machine's network":  {noNet, "", Namespace, []string{"network is not isolated (user.max_net_namespaces is 0)"}},
		"none where nothing works":               {nothing, "", None, []string{"none: no user namespace (seccomp refuses them)", "network are not isolated"}},
		"none because it is wanted":              {full, None, None, []string{"as configured", "network are not isolated"}},
		"namespaces because they are wanted":     {full, Namespace, Namespace, []string{"as configured"}},
		"no namespaces though they are wanted":   {nothing, Namespace, "", []string{"seccomp refuses them"}},
		"not a sandbox that nobody has heard of": {full, "docker", "", []string{`"docker"`, `"namespace"`, `"none"`}},
	}
	for what, c := range cases {
		t.Run(what, func(t *testing.T) {
			s, why, err := Choose(c.report, c.want)
			if (err != nil) != (c.name == "") || s.Name() != c.name {
				t.Fatalf("got %q, %q, %v", s.Name(), why, err)
			}
			if err != nil {
				why = err.Error()
				if c.want == Namespace && !errors.Is(err, ErrUnavailable) {
					t.Errorf("%v is not ErrUnavailable", err)
				}
			}
			for _, w := range c.says {
				if !strings.Contains(why, w) {
					t.Errorf("%q does not say %q", why, w)
				}
			}
		})
	}
}

func TestEveryLevelWorksOrSaysWhyNot(t *testing.T) {
	r := Probe(t.Context())
	for _, l := range r.Levels() {
		t.Logf("%-8s works %-5v %s %s", l.Name, l.Works, l.Version, l.Reason)
		if l.Name == "" || l.Works == (l.Reason != "") {
			t.Errorf("%+v", l)
		}
	}
	if r.Kernel == "" {
		t.Error("no kernel")
	}
}
