package httpstate

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

// flavor is a server whose addresses tell how it is to be used.
type flavor int

const (
	plain flavor = iota
	gitlab
	gitea
)

// places are the addresses of one state.
type places struct {
	flavor              flavor
	state, lock, unlock *url.URL // lock and unlock are nil where nothing is locked
	lease, leaseLock    *url.URL // nil where there is no lease, or it cannot be locked
	shown               string   // of the state, for people

	updateMethod, lockMethod, unlockMethod string
	username, password                     string
}

var (
	gitlabPath = regexp.MustCompile(`/api/v4/projects/[^/]+/terraform/state/[^/]+$`)
	giteaPath  = regexp.MustCompile(`/api/packages/[^/]+/terraform/state/[^/]+$`)
)

// flavorOf knows the servers of which the addresses are known.
func flavorOf(u *url.URL) flavor {
	switch path := u.EscapedPath(); {
	case gitlabPath.MatchString(path):
		return gitlab
	case giteaPath.MatchString(path):
		return gitea
	}
	return plain
}

func (o Options) places() (p places, err error) {
	if p.state, err = parseAddress("address", o.Address); err != nil {
		return p, err
	}
	p.username, p.password = o.Username, o.Password
	if user := p.state.User; user != nil {
		if p.username == "" && p.password == "" {
			p.username = user.Username()
			p.password, _ = user.Password()
		}
		p.state.User = nil
	}
	shown := url.URL{Scheme: p.state.Scheme, Host: p.state.Host, Path: p.state.Path, RawPath: p.state.RawPath}
	p.shown, p.flavor = shown.String(), flavorOf(p.state)
	if err := o.locks(&p); err != nil {
		return p, err
	}
	return p, o.lease(&p)
}

func (o Options) locks(p *places) (err error) {
	p.updateMethod, p.lockMethod, p.unlockMethod = http.MethodPost, "LOCK", "UNLOCK"
	lock, unlock := o.LockAddress, o.UnlockAddress
	if p.flavor != plain && lock == "" && unlock == "" {
		p.lockMethod, p.unlockMethod = http.MethodPost, http.MethodDelete
		p.lock = p.state.JoinPath("lock")
		p.unlock = p.lock
	}
	for method, said := range map[*string]string{&p.updateMethod: o.UpdateMethod, &p.lockMethod: o.LockMethod, &p.unlockMethod: o.UnlockMethod} {
		if said != "" {
			*method = said
		}
	}
	if (lock == "") != (unlock == "") {
		return errors.New("lock_address and unlock_address are given both or not at all")
	}
	if lock == "" {
		return nil
	}
	if p.lock, err = parseAddress("lock_address", lock); err == nil {
		p.unlock, err = parseAddress("unlock_address", unlock)
	}
	if err == nil {
		p.lock.User, p.unlock.User = nil, nil
	}
	return err
}

// leaseSuffix stands behind the name of a state in the name of its lease.
const leaseSuffix = "-lease"

// lease finds where the document of the lease stands and how that is locked,
// which some servers want before they take it.
func (o Options) lease(p *places) (err error) {
	if p.lock == nil || o.NoLease {
		return nil
	}
	if o.LeaseAddress != "" {
		if p.lease, err = parseAddress("lease_address", o.LeaseAddress); err != nil {
			return err
		}
		p.lease.User = nil
		if *p.lease == *p.state {
			return errors.New("lease_address is that of the state itself; give it another one, or leave it out")
		}
	} else if p.lease = suffixed(p.state); p.lease == nil {
		return nil
	}
	switch {
	case p.lock.String() == p.state.String() && p.unlock.String() == p.state.String():
		p.leaseLock = p.lease
	case p.lock.String() == p.state.JoinPath("lock").String() && p.unlock.String() == p.lock.String():
		p.leaseLock = p.lease.JoinPath("lock")
	}
	return nil
}

// suffixed is the address of the lease beside a state, nil where the last
// segment of the path is no name.
func suffixed(state *url.URL) *url.URL {
	if state.Path == "" || strings.HasSuffix(state.Path, "/") {
		return nil
	}
	u := *state
	u.Path += leaseSuffix
	if u.RawPath != "" {
		u.RawPath += leaseSuffix
	}
	return &u
}

func parseAddress(name, text string) (*url.URL, error) {
	u, err := url.Parse(text)
	var bad *url.Error
	if errors.As(err, &bad) {
		err = bad.Err // which does not repeat the address: a password may stand in it
	}
	if err != nil {
		return nil, fmt.Errorf("%s is no URL: %w", name, err)
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("%s must begin with https:// or http:// and a host", name)
	}
	u.Fragment, u.RawFragment = "", ""
	return u, nil
}
