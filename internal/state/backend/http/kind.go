package httpstate

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/zclconf/go-cty/cty"

	"esd/internal/schema"
	"esd/internal/state/backend"
	"esd/internal/state/backend/lease"
)

// Kind describes state "http".
func Kind() backend.Kind {
	return backend.Kind{
		Name:    "http",
		Summary: "Behind HTTP: GitLab, Gitea, and every server that keeps states of Terraform.",
		Doc: "The protocol is that of Terraform's http backend, and the variables of that are understood where those of esd are not set. " +
			"With an address of GitLab (`…/api/v4/projects/ID/terraform/state/NAME`) or of Gitea (`…/api/packages/OWNER/terraform/state/NAME`) " +
			"the addresses and methods of the lock are known; in a job of GitLab CI the job token is used, for that GitLab alone. " +
			"The lease of the lock is kept in a second document, `NAME-lease`. See `docs/state-http.md`.",
		Example:    "state \"http\" {\n  address = \"https://gitlab.example.org/api/v4/projects/42/terraform/state/production\"\n}",
		Attributes: attributes(),
		Open: func(s backend.Settings, env backend.Env) (backend.Backend, error) {
			opts, err := optionsOf(s, env)
			if err != nil {
				return nil, fmt.Errorf("state \"http\": %w", err)
			}
			b, err := New(opts)
			if err != nil {
				return nil, fmt.Errorf("state \"http\": %w", err)
			}
			return b, nil
		},
	}
}

func attributes() []backend.Attribute {
	text := func(name, doc string) backend.Attribute { return attribute(name, cty.String, doc) }
	secret := func(a backend.Attribute) backend.Attribute { a.Secret = true; return a }
	address := text("address", "The URL of the state.")
	address.Required = true
	headers := attribute("headers", cty.Map(cty.String), "Headers that are sent with each request, such as `PRIVATE-TOKEN`. Only to the hosts of the addresses.")
	headers.Variables = nil
	leaseAddress := text("lease_address", "The URL of the document by which a run shows that it is alive. Default: the address with `-lease` behind its name. `none` leaves it out: "+
		"the lock of a run that has died then stays until `esd force-unlock`.")
	leaseAddress.Variables = leaseAddress.Variables[:1] // Terraform has no leases
	return []backend.Attribute{
		address,
		text("update_method", "The method by which a state is written. Default: `POST`."),
		text("lock_address", "The URL that locks the state. Where it is not given, and does not follow from the address, nothing is locked."),
		text("lock_method", "The method by which it is locked. Default: `LOCK`; `POST` at GitLab and Gitea."),
		text("unlock_address", "The URL that unlocks the state."),
		text("unlock_method", "The method by which it is unlocked. Default: `UNLOCK`; `DELETE` at GitLab and Gitea."),
		text("username", "The user of basic authentication."),
		secret(text("password", "Its password or token. In a job of GitLab CI, the job token for the states of that GitLab.")),
		secret(headers),
		attribute("skip_cert_verification", cty.Bool, "Do not verify the certificate of the server."),
		text("client_ca_certificate_pem", "Certificates of the authorities to trust, as PEM, in place of those of the system."),
		text("client_certificate_pem", "The certificate by which the client logs in, as PEM."),
		secret(text("client_private_key_pem", "Its private key, as PEM.")),
		attribute("retry_max", cty.Number, "How often a request is repeated that failed for the moment. Default: 2."),
		attribute("retry_wait_min", cty.Number, "The shortest time between two attempts, in seconds. Default: 1."),
		attribute("retry_wait_max", cty.Number, "The longest, in seconds. Default: 30."),
		leaseAddress,
		lease.Attribute(DefaultLease),
	}
}

// attribute has the variables of esd and of Terraform.
func attribute(name string, t cty.Type, doc string) backend.Attribute {
	upper := strings.ToUpper(name)
	return backend.Attribute{
		Attribute: schema.Attribute{Name: name, Type: t, Doc: doc},
		Variables: []string{"ESD_HTTP_" + upper, "TF_HTTP_" + upper},
	}
}

func optionsOf(s backend.Settings, env backend.Env) (Options, error) {
	opts := Options{
		Address: s.String("address"), LockAddress: s.String("lock_address"), UnlockAddress: s.String("unlock_address"),
		LeaseAddress: s.String("lease_address"),
		UpdateMethod: s.String("update_method"), LockMethod: s.String("lock_method"), UnlockMethod: s.String("unlock_method"),
		Username: s.String("username"), Password: s.String("password"), Headers: s.Map("headers"),
		Retry:     Retry{Max: int(s.Int("retry_max", 2)), MinWait: seconds(s, "retry_wait_min", 1), MaxWait: seconds(s, "retry_wait_max", 30)},
		Terms:     lease.TermsOf(s, DefaultLease),
		UserAgent: env.UserAgent,
	}
	if opts.LeaseAddress == "none" {
		opts.LeaseAddress, opts.NoLease = "", true
	}
	if opts.Retry.Max < 0 || opts.Retry.MinWait < 0 || opts.Retry.MaxWait < opts.Retry.MinWait {
		return opts, errors.New("retry_max and retry_wait_min are not below 0, and retry_wait_max is not below retry_wait_min")
	}
	if opts.Password == "" && env.Getenv != nil {
		if token, ok := jobToken(opts, env.Getenv); ok {
			opts.Username, opts.Password, opts.SameHost = jobUser, token, true
		}
	}
	var err error
	opts.TLS, err = tlsConfig(s)
	return opts, err
}

func seconds(s backend.Settings, name string, otherwise float64) time.Duration {
	if v, ok := s[name]; ok {
		otherwise, _ = v.AsBigFloat().Float64()
	}
	return time.Duration(otherwise * float64(time.Second))
}

// jobUser is the name under which GitLab takes the token of a CI job.
const jobUser = "gitlab-ci-token"

// jobToken is the token of the CI job where the state is kept by the GitLab
// that runs the job, and nowhere else: neither on another host or port, nor in
// the clear where that GitLab has https.
func jobToken(opts Options, getenv func(string) (string, bool)) (string, bool) {
	env := func(name string) string { v, _ := getenv(name); return v }
	u, err := url.Parse(opts.Address)
	token, host := env("CI_JOB_TOKEN"), env("CI_SERVER_HOST")
	switch {
	case err != nil || u.User != nil || flavorOf(u) != gitlab || token == "" || host == "":
	case opts.Username != "" && opts.Username != jobUser || logsIn(opts.Headers):
	case !strings.EqualFold(u.Hostname(), host):
	case portOf(u.Scheme, u.Port()) != portOf(u.Scheme, env("CI_SERVER_PORT")):
	case u.Scheme != "https" && env("CI_SERVER_PROTOCOL") != u.Scheme:
	default:
		return token, true
	}
	return "", false
}

// logsIn tells whether the headers carry credentials of GitLab already.
func logsIn(headers map[string]string) bool {
	for name := range headers {
		switch strings.ToLower(name) {
		case "authorization", "private-token", "job-token", "deploy-token":
			return true
		}
	}
	return false
}

func portOf(scheme, port string) string {
	switch {
	case port != "":
		return port
	case scheme == "http":
		return "80"
	}
	return "443"
}

// tlsConfig never repeats what it was given: a key may stand in the wrong place.
func tlsConfig(s backend.Settings) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: s.Bool("skip_cert_verification", false)} //nolint:gosec // asked for by the user
	if authorities := s.String("client_ca_certificate_pem"); authorities != "" {
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM([]byte(authorities)) {
			return nil, errors.New("client_ca_certificate_pem holds no certificate in PEM; it takes the text, not a path: file(\"ca.pem\")")
		}
	}
	certificate, key := s.String("client_certificate_pem"), s.String("client_private_key_pem")
	if (certificate == "") != (key == "") {
		return nil, errors.New("client_certificate_pem and client_private_key_pem are given both or not at all")
	}
	if certificate != "" {
		pair, err := tls.X509KeyPair([]byte(certificate), []byte(key))
		if err != nil {
			return nil, fmt.Errorf("client_certificate_pem and client_private_key_pem: %w", err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}
