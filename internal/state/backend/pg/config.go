package pg

import (
	"errors"
	"net"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// parse reads the connection string and completes it. What is wrong with it is
// not said in the words of the parser, who may repeat a password.
func parse(o Options) (*pgconn.Config, error) {
	config, err := pgconn.ParseConfig(o.ConnString)
	if err == nil && !filepath.IsAbs(config.Host) && strings.ContainsAny(config.Host, "@/?#[]= ") {
		err = errors.New("part of it was taken for a host")
	}
	if err != nil {
		return nil, errors.New("conn_str cannot be used (it is not repeated here, because it may hold a password): it has the form " +
			"postgres://USER@HOST:PORT/DATABASE?sslmode=verify-full or host=HOST port=PORT user=USER dbname=DATABASE, with % and spaces escaped, and " +
			"the files that it, PGSERVICE or the variables of libpq name (certificates, service file) must exist")
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = 10 * time.Second
	}
	if config.RuntimeParams["application_name"] == "" && o.UserAgent != "" {
		config.RuntimeParams["application_name"] = o.UserAgent
	}
	// A connection over which nothing comes is found dead in half a minute.
	dialer := &net.Dialer{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 10 * time.Second, Interval: 5 * time.Second, Count: 4}}
	config.DialFunc = dialer.DialContext
	config.MaxProtocolMessageBodyLen = largest + 1<<20
	return config, nil
}

// location is the address of the state, for people: without user and password.
func location(config *pgconn.Config, o Options) string {
	database := config.Database
	if database == "" {
		database = config.User
	}
	address := "postgresql://" + net.JoinHostPort(config.Host, strconv.Itoa(int(config.Port)))
	if filepath.IsAbs(config.Host) { // the directory of a socket
		address = "postgresql://" + url.PathEscape(config.Host) + ":" + strconv.Itoa(int(config.Port))
	}
	for _, part := range append([]string{database, o.Schema}, strings.Split(o.Name, "/")...) {
		address += "/" + url.PathEscape(part)
	}
	return address
}
